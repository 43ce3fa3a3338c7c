package retention_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/strongroom-dev/strongroom/archive/retention"
)

// naive returns why a snapshot is kept, word by word as the package comment has it.
func naive(p retention.Policy, all []retention.Snapshot, s retention.Snapshot) []string {
	why := naiveCounted(p, all, s)
	if s.Unreadable || s.Hollow == "" {
		return why
	}
	some, older := false, false // snapshots that are kept for another reason
	for _, o := range all {
		if len(naiveCounted(p, all, o)) > 0 {
			some = true
			older = older || o.Sequence <= s.Sequence
		}
	}
	if older || !some {
		why = append(why, "hollow: "+s.Hollow)
	}
	return why
}

// naiveCounted is naive without the rule of hollow snapshots: it compares a snapshot with all
// others for each rule, and slots by their names.
func naiveCounted(p retention.Policy, all []retention.Snapshot, s retention.Snapshot) []string {
	var why []string
	if s.Held != "" {
		why = append(why, "held: "+s.Held)
	}
	if s.Unreadable {
		return append(why, "unreadable")
	}
	if s.Hollow != "" {
		return why
	}
	if !slices.ContainsFunc(all, func(o retention.Snapshot) bool { return isCounted(o) && o.Sequence > s.Sequence }) {
		why = append(why, "newest")
	}
	if wellMade(s) && !slices.ContainsFunc(all, func(o retention.Snapshot) bool { return wellMade(o) && o.Sequence > s.Sequence }) {
		why = append(why, "newest good")
	}
	for rule, n := range map[string]int{
		"last": p.Last, "hourly": p.Hourly, "daily": p.Daily,
		"weekly": p.Weekly, "monthly": p.Monthly, "yearly": p.Yearly,
	} {
		if n > 0 && naiveRule(rule, n, p.Location, all, s) {
			why = append(why, nameWithSlot(rule, slotName(rule, p.Location, s)))
		}
	}
	newest := s
	for _, o := range all {
		if isCounted(o) && o.Sequence > newest.Sequence {
			newest = o
		}
	}
	if p.Within > 0 && newest.Created.Sub(s.Created) <= p.Within {
		why = append(why, "within")
	}
	return why
}

func naiveRule(rule string, n int, in *time.Location, all []retention.Snapshot, s retention.Snapshot) bool {
	mine := slotName(rule, in, s)
	laterSlots, laterGoodSlots := map[string]bool{}, map[string]bool{}
	for _, o := range all {
		if !isCounted(o) || o.Sequence == s.Sequence {
			continue
		}
		theirs := slotName(rule, in, o)
		if theirs == mine && wellMade(o) && !wellMade(s) {
			return false // the slot has a good one
		}
		if o.Sequence < s.Sequence {
			continue
		}
		if theirs == mine && wellMade(o) == wellMade(s) {
			return false // it is newer
		}
		laterSlots[theirs] = true
		if wellMade(o) {
			laterGoodSlots[theirs] = true
		}
	}
	if wellMade(s) {
		return len(laterGoodSlots) < n
	}
	return len(laterSlots) < n
}

func wellMade(s retention.Snapshot) bool { return isCounted(s) && !(s.Damaged || s.Incomplete) }

func isCounted(s retention.Snapshot) bool { return !s.Unreadable && s.Hollow == "" }

func slotName(rule string, in *time.Location, s retention.Snapshot) string {
	if in == nil {
		in = time.UTC
	}
	t := s.Created.In(in)
	isoYear, isoWeek := t.ISOWeek()
	switch rule {
	case "last":
		return fmt.Sprint("#", s.Sequence)
	case "hourly":
		return t.Format("2006-01-02 15:00 -07:00")
	case "daily":
		return t.Format("2006-01-02")
	case "weekly":
		return fmt.Sprintf("%04d-W%02d", isoYear, isoWeek)
	case "monthly":
		return t.Format("2006-01")
	}
	return t.Format("2006")
}

func nameWithSlot(rule, slot string) string {
	if rule == "last" {
		return rule
	}
	return rule + " " + slot
}

func TestNaive(t *testing.T) {
	t.Parallel()
	const histories = 100_000
	kept, removed := 0, 0
	for seed := range uint64(histories) {
		rng := rand.New(rand.NewPCG(seed, 6))
		p, all := randomPolicy(rng), randomHistory(rng)
		verdicts, err := p.Apply(all)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(verdicts) != len(all) {
			t.Fatalf("seed %d: %d verdicts on %d snapshots", seed, len(verdicts), len(all))
		}
		for _, v := range verdicts {
			want, got := naive(p, all, v.Snapshot), texts(v)
			slices.Sort(want)
			slices.Sort(got)
			if v.Keep != (len(want) > 0) || !slices.Equal(want, got) {
				t.Fatalf("seed %d: %+v\n%+v\nsnapshot %d is kept by %q, want %q", seed, p, all, v.Sequence, got, want)
			}
			if v.Keep {
				kept++
			} else {
				removed++
			}
		}
	}
	if kept < histories || removed < histories {
		t.Errorf("the histories prove little: %d snapshots kept, %d removed", kept, removed)
	}
}

func texts(v retention.Verdict) []string {
	var all []string
	for _, r := range v.Why {
		all = append(all, r.String())
	}
	return all
}

var zones = []*time.Location{nil, zone("Europe/Berlin"), zone("America/New_York"), zone("Australia/Lord_Howe"), zone("Pacific/Apia")}

func zone(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return l
}

// randomPolicy has few rules and small numbers, so that most histories exceed them.
func randomPolicy(rng *rand.Rand) retention.Policy {
	for {
		p := retention.Policy{Location: zones[rng.IntN(len(zones))]}
		for _, n := range []*int{&p.Last, &p.Hourly, &p.Daily, &p.Weekly, &p.Monthly, &p.Yearly} {
			if rng.IntN(3) == 0 {
				*n = 1 + rng.IntN(3)
			}
		}
		if rng.IntN(4) == 0 {
			p.Within = time.Duration(1+rng.IntN(72)) * time.Hour
		}
		if !reflect.DeepEqual(p, retention.Policy{Location: p.Location}) {
			return p
		}
	}
}

// randomHistory starts near a year's end or a change of clocks, in steps of one size, with
// jumps back, equal times and everything that can be wrong with a snapshot. It is shuffled.
func randomHistory(rng *rand.Rand) []retention.Snapshot {
	all := steadyHistory(rng)
	for i := range all {
		switch rng.IntN(8) {
		case 0:
			all[i].Created = all[rng.IntN(len(all))].Created
		case 1:
			all[i].Created = all[i].Created.Add(-time.Duration(rng.IntN(800)) * time.Hour)
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// steadyHistory is one whose clock never jumps back, in order.
func steadyHistory(rng *rand.Rand) []retention.Snapshot {
	starts := []string{"2026-10-24T20:10:00Z", "2026-03-28T22:00:00Z", "2026-12-28T08:00:00Z", "2025-12-31T21:59:59Z", "2011-12-29T09:00:00Z", "2026-04-04T13:40:00Z"}
	at, err := time.Parse(time.RFC3339, starts[rng.IntN(len(starts))])
	if err != nil {
		panic(err)
	}
	step := []time.Duration{20 * time.Minute, 2 * time.Hour, 17 * time.Hour, 80 * time.Hour, 600 * time.Hour, 5000 * time.Hour}[rng.IntN(6)]
	bad, hollow := rng.IntN(4), max(0, rng.IntN(8)-4) // in ten
	var all []retention.Snapshot
	sequence := int64(0)
	for range rng.IntN(14) {
		sequence += 1 + int64(rng.IntN(2))
		at = at.Add(time.Duration(rng.Int64N(int64(step)) * int64(rng.IntN(3))))
		s := retention.Snapshot{
			Sequence: sequence, Created: at,
			Damaged: rng.IntN(10) < bad, Incomplete: rng.IntN(10) < bad, Unreadable: rng.IntN(15) == 0,
		}
		if rng.IntN(15) == 0 {
			s.Held = "audit"
		}
		if rng.IntN(10) < hollow {
			s.Hollow = "no files"
		}
		all = append(all, s)
	}
	return all
}
