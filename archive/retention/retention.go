package retention

import (
	"errors"
	"fmt"
	"time"
)

// Policy is a set of rules which snapshots are kept. A rule that is zero keeps nothing.
type Policy struct {
	Last    int // the number of snapshots
	Hourly  int // the number of hours with snapshots
	Daily   int // days
	Weekly  int // ISO weeks
	Monthly int // months
	Yearly  int // years

	Within time.Duration // the time before the newest snapshot

	Location *time.Location // the time zone of the calendar; nil means UTC
}

// Validate returns an error for a policy that must be a mistake: one without any rule, which would keep almost
// nothing, or one with a negative number.
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
		return errors.New("retention: no rule is given, so all snapshots but the newest would be removed: " +
			"give at least one of last, hourly, daily, weekly, monthly, yearly and within")
	}
	return nil
}

// Snapshot holds the properties of a snapshot that retention depends on.
type Snapshot struct {
	Sequence int64 // the order of snapshots; unique

	// Created is when the snapshot was made. The caller must replace a time that the provider's clock
	// contradicts. It is ignored if the snapshot is unreadable.
	Created time.Time

	Damaged    bool   // it contains a log file with invalid entries
	Incomplete bool   // it has no tail, in an archive whose snapshots have tails
	Unreadable bool   // its manifest cannot be read
	Held       string // why it is held, so that no retention removes it; empty without a hold

	// Hollow is why no rule counts the snapshot, such as "no files"; empty if rules count it. An unreadable
	// snapshot is never hollow.
	Hollow string
}

// Good reports whether a snapshot is neither damaged nor incomplete nor unreadable nor hollow.
func (s Snapshot) Good() bool { return !s.Damaged && !s.Incomplete && s.counts() }

// counts reports whether the rules of a policy count a snapshot.
func (s Snapshot) counts() bool { return !s.Unreadable && s.Hollow == "" }

// Verdict is the decision about a snapshot.
type Verdict struct {
	Snapshot
	Keep bool
	Why  []Reason // which rules keep it; empty if none does
}

// The names of the rules that are not part of a policy, for Reason.Rule.
const (
	Newest     = "newest"
	NewestGood = "newest good"
	Held       = "held"
	Unreadable = "unreadable"
	Hollow     = "hollow"
)

// Reason is a rule that keeps a snapshot.
type Reason struct {
	Rule string // the policy's field in lower case, such as "daily", or one of the constants

	// Detail is the slot for which the snapshot is kept ("2026-11-22"). For a held or hollow snapshot it is
	// the reason of the hold or why the snapshot is hollow. It is empty for all other rules.
	Detail string
}

// String returns the reason in readable form, such as "daily 2026-11-22".
func (r Reason) String() string {
	switch {
	case r.Detail == "":
		return r.Rule
	case r.Rule == Held || r.Rule == Hollow:
		return r.Rule + ": " + r.Detail
	}
	return r.Rule + " " + r.Detail
}
