package retention

// Limit bounds how many of the snapshots kept by the last prune an unattended prune may remove. The zero value
// disables the limit.
type Limit struct {
	Percent int // of the snapshots that the last prune kept, rounded up
	Least   int // the number of snapshots that may be removed in any case
}

// DefaultLimit returns the limit of scheduled prunes without a configured limit.
func DefaultLimit() Limit { return Limit{Percent: 25, Least: 10} }

// Of returns how many snapshots may be removed if the last prune kept the given number, and whether there is a
// limit at all.
func (l Limit) Of(kept int) (most int, limited bool) {
	return max(l.Least, (kept*l.Percent+99)/100), l != Limit{}
}

// Lost returns the sequence numbers of the snapshots that an earlier prune kept, that the policy removes now, and
// whose removal the course of time does not explain; see the package comment. They are in ascending order. It
// returns an error only if the policy is invalid.
func (p Policy) Lost(all []Snapshot, kept func(sequence int64) bool) ([]int64, error) {
	now, err := p.Apply(all)
	if err != nil {
		return nil, err
	}
	before, usual := courseOfTime(all, kept)
	alone, err := p.keeps(before)
	if err != nil {
		return nil, err
	}
	still, err := p.keeps(usual)
	if err != nil {
		return nil, err
	}
	var lost []int64
	for _, v := range now {
		explained := alone[v.Sequence] && !still[v.Sequence]
		if !v.Keep && kept(v.Sequence) && !explained {
			lost = append(lost, v.Sequence)
		}
	}
	return lost, nil
}

// courseOfTime returns the snapshots that were kept before, and these together with the later ones that were also
// made later.
func courseOfTime(all []Snapshot, kept func(sequence int64) bool) (before, usual []Snapshot) {
	var newest Snapshot
	for _, s := range all {
		if kept(s.Sequence) {
			before = append(before, s)
			if s.counts() && s.Sequence > newest.Sequence {
				newest = s
			}
		}
	}
	for _, s := range all {
		if kept(s.Sequence) || s.Sequence > newest.Sequence && !s.Created.Before(newest.Created) {
			usual = append(usual, s)
		}
	}
	return before, usual
}

// keeps returns the set of the sequence numbers that the policy keeps.
func (p Policy) keeps(all []Snapshot) (map[int64]bool, error) {
	verdicts, err := p.Apply(all)
	if err != nil {
		return nil, err
	}
	kept := make(map[int64]bool, len(verdicts))
	for _, v := range verdicts {
		if v.Keep {
			kept[v.Sequence] = true
		}
	}
	return kept, nil
}
