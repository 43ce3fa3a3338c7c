package retention

import (
	"errors"
	"fmt"
	"time"
)

// Policy says which snapshots are kept. A rule that is zero keeps nothing.
type Policy struct {
	Last    int // snapshots
	Hourly  int // hours that have snapshots
	Daily   int // days
	Weekly  int // ISO weeks
	Monthly int // months
	Yearly  int // years

	Within time.Duration // before the newest snapshot

	Location *time.Location // whose calendar counts; nil is UTC
}

// Validate returns an error for a policy that cannot be meant: without any rule, by which
// next to nothing would be kept, or with a number below zero.
func (p Policy) Validate() error {
	some := p.Within > 0
	for _, r := range p.rules() {
		if r.n < 0 {
			return fmt.Errorf("retention: %s is %d: give a number of 1 or more, or leave %s out", r.name, r.n, r.name)
		}
		some = some || r.n > 0
	}
	switch {
	case p.Within < 0:
		return fmt.Errorf("retention: within is %s: give a duration above 0, or leave within out", p.Within)
	case !some:
		return errors.New("retention: no rule is given, and by none all snapshots but the newest would be removed: " +
			"give at least one of last, hourly, daily, weekly, monthly, yearly and within")
	}
	return nil
}

// Snapshot is what retention needs to know about a snapshot.
type Snapshot struct {
	Sequence int64 // what orders snapshots; no two have the same

	// Created is when it was made. The caller has replaced a time that the provider's
	// clock contradicts. It means nothing if the snapshot is unreadable.
	Created time.Time

	Damaged    bool   // a log file in it did not hold
	Incomplete bool   // it has no tail, in an archive whose snapshots have tails
	Unreadable bool   // its manifest cannot be read
	Held       string // why no retention removes it; empty without a hold

	// Hollow is why no rule counts it, such as "no files"; empty if rules count it. An
	// unreadable snapshot is never hollow.
	Hollow string
}

// Good reports whether nothing is wrong with a snapshot.
func (s Snapshot) Good() bool { return !s.Damaged && !s.Incomplete && s.counts() }

// counts reports whether the rules of a policy count a snapshot.
func (s Snapshot) counts() bool { return !s.Unreadable && s.Hollow == "" }

// Verdict is what becomes of a snapshot.
type Verdict struct {
	Snapshot
	Keep bool
	Why  []Reason // which rules keep it; empty if none does
}

// The rules that are no part of a policy, as a Reason names them.
const (
	Newest     = "newest"
	NewestGood = "newest good"
	Held       = "held"
	Unreadable = "unreadable"
	Hollow     = "hollow"
)

// Reason is a rule that keeps a snapshot.
type Reason struct {
	Rule string // "daily", as the policy's field in lower case, or one of the constants

	// Detail is the slot for which it is kept ("2026-11-22"), of a held or hollow one why
	// it is that, and empty for all other rules.
	Detail string
}

// String is the reason as people read it: "daily 2026-11-22".
func (r Reason) String() string {
	switch {
	case r.Detail == "":
		return r.Rule
	case r.Rule == Held || r.Rule == Hollow:
		return r.Rule + ": " + r.Detail
	}
	return r.Rule + " " + r.Detail
}
