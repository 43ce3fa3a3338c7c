package retention

import (
	"cmp"
	"slices"
	"time"
)

// Apply decides about all snapshots of an archive, which may be in any order. It returns a verdict on each, in
// ascending order of the sequence numbers. It returns an error, and no verdicts, only if the policy is invalid.
// It does not modify its arguments.
func (p Policy) Apply(all []Snapshot) ([]Verdict, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	verdicts := make([]Verdict, len(all))
	for i, s := range all {
		verdicts[i].Snapshot = s
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int { return cmp.Compare(a.Sequence, b.Sequence) })
	candidates := p.newestFirst(verdicts)
	keepAlways(verdicts, candidates)
	for _, r := range p.rules() {
		if r.n > 0 {
			r.keep(candidates)
		}
	}
	if p.Within > 0 {
		keepWithin(candidates, p.Within)
	}
	keepHollow(verdicts)
	return verdicts, nil
}

// candidate is a snapshot that rules count: one that is readable and not hollow.
type candidate struct {
	*Verdict
	local time.Time
	good  bool
}

// newestFirst lists the candidates, with the time in the policy's location.
func (p Policy) newestFirst(verdicts []Verdict) []candidate {
	location := p.Location
	if location == nil {
		location = time.UTC
	}
	candidates := make([]candidate, 0, len(verdicts))
	for i := range slices.Backward(verdicts) {
		if v := &verdicts[i]; v.counts() {
			candidates = append(candidates, candidate{v, v.Created.In(location), v.Good()})
		}
	}
	return candidates
}

func keepAlways(verdicts []Verdict, candidates []candidate) {
	if len(candidates) > 0 {
		candidates[0].because(Newest, "")
	}
	if i := slices.IndexFunc(candidates, func(c candidate) bool { return c.good }); i >= 0 {
		candidates[i].because(NewestGood, "")
	}
	for i := range verdicts {
		v := &verdicts[i]
		if v.Held != "" {
			v.because(Held, v.Held)
		}
		if v.Unreadable {
			v.because(Unreadable, "")
		}
	}
}

// keep applies one rule to the candidates, newest first.
func (r rule) keep(candidates []candidate) {
	seen := make(map[slot]bool) // slots of any kind; true: with a good snapshot
	var goodSlots int
	var spare []candidate // the newest snapshots of the last n slots, as far as they are not good
	for _, c := range candidates {
		// The rule keeps no older snapshot. But an older one can be the good one of a slot whose newest is
		// spare, since clocks jump back.
		if goodSlots == r.n && len(spare) == 0 {
			return
		}
		s := r.slot(c.local, c.Sequence)
		hasGood, known := seen[s]
		if !known && !c.good && len(seen) < r.n {
			spare = append(spare, c)
		}
		if c.good && !hasGood {
			if goodSlots < r.n {
				c.because(r.name, r.text(c.local))
				goodSlots++
			}
		}
		seen[s] = hasGood || c.good
	}
	for _, c := range spare {
		if !seen[r.slot(c.local, c.Sequence)] {
			c.because(r.name, r.text(c.local))
		}
	}
}

// keepWithin keeps all snapshots that are at most d older than the newest. Snapshots with a later time than the
// newest, from a wrong clock, are kept as well.
func keepWithin(candidates []candidate, d time.Duration) {
	if len(candidates) == 0 {
		return
	}
	since := candidates[0].Created.Add(-d)
	for _, c := range candidates {
		if !c.Created.Before(since) {
			c.because("within", "")
		}
	}
}

// keepHollow keeps each hollow snapshot that is not older than the oldest snapshot kept so far. If none is kept,
// it keeps all hollow ones.
func keepHollow(verdicts []Verdict) {
	oldest := slices.IndexFunc(verdicts, func(v Verdict) bool { return v.Keep })
	for i := max(0, oldest); i < len(verdicts); i++ {
		if v := &verdicts[i]; v.Hollow != "" && !v.Unreadable {
			v.because(Hollow, v.Hollow)
		}
	}
}

func (v *Verdict) because(rule, detail string) {
	v.Keep = true
	v.Why = append(v.Why, Reason{rule, detail})
}
