package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
)

// lastPruned returns the record by which the last prune went; nil: there was no prune. Holds
// and copies write records that keep everything, which no retention has judged.
func (a *Archive) lastPruned(ctx context.Context, h *head) (*manifest.Record, error) {
	r := h.record
	for r != nil && !strings.HasPrefix(r.Why, whyPrune) {
		if r.Parent == nil {
			return nil, nil
		}
		var before head
		err := a.readRecord(ctx, &before, r.Parent.Number)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return r, nil // only a prune deletes records, and that one had nothing to change in this one
		case errors.Is(err, ErrDamaged) || err == nil && before.ledger != *r.Parent:
			return nil, nil
		case err != nil:
			return nil, err
		}
		r = before.record
	}
	return r, nil
}

// checkLimit returns the decision that a limited prune executes, with the guards that an
// operator accepted for it: the given one, or the one that was confirmed.
func (p *pruneRun) checkLimit(s *ledgerView, d *decision, last *manifest.Record) (*decision, []manifest.Guard, error) {
	p.report.Refused = nil
	lost, err := p.lost(d, last)
	if err != nil {
		return nil, nil, err
	}
	kept := 0
	if last != nil {
		kept = len(last.Kept)
	}
	most, _ := p.o.Limit.Of(kept)
	if len(lost) <= most {
		return d, nil, nil
	}
	accepted := []manifest.Guard{manifest.GuardPrune}
	if slices.Contains(p.o.Accept, manifest.GuardPrune) {
		return d, accepted, nil
	}
	then, was, err := p.readLastPlan(s, p.o.Confirmed)
	if err != nil {
		return nil, nil, err
	}
	if was != nil {
		// As if the later snapshots were created after this prune listed the manifests: they
		// stay, and the record has none of them.
		s.valid = then.valid
		return was, accepted, nil
	}
	refusal, err := p.refusal(s, d, lost, last, most)
	if err != nil {
		return nil, nil, err
	}
	if p.o.DryRun {
		p.report.Refused = refusal
		return d, nil, nil
	}
	return nil, nil, refusal
}

// refusal refuses a decision or, if that still holds, the one that was refused before: an
// operator may be about to confirm that one, while snapshots keep coming.
func (p *pruneRun) refusal(s *ledgerView, d *decision, lost []int64, last *manifest.Record, most int) (*Refusal, error) {
	then, was, err := p.readLastPlan(s, p.o.Waiting)
	if err != nil {
		return nil, err
	}
	if was != nil {
		wasLost, err := p.lost(was, last)
		if err != nil {
			return nil, err
		}
		if len(wasLost) > most { // else another policy or limit removes the same by chance
			s, d, lost = then, was, wasLost
		}
	}
	return &Refusal{Confirmation{manifest.GuardPrune, s.planOf(d)}, tooMany(d, lost, last, most)}, nil
}

// readLastPlan returns the first of some decisions that still holds, with the standing that it was
// made from: without the snapshots that came since. Nil: none holds.
func (p *pruneRun) readLastPlan(s *ledgerView, plans []Confirmation) (*ledgerView, *decision, error) {
	for _, c := range plans {
		then := s.asOf(c.Plan)
		if c.Guard != manifest.GuardPrune || then == nil {
			continue
		}
		was, err := p.decide(then)
		if err != nil {
			return nil, nil, err
		}
		if then.planOf(was) == c.Plan {
			return then, was, nil
		}
	}
	return nil, nil, nil
}

// lost returns what counts against the limit.
func (p *pruneRun) lost(d *decision, last *manifest.Record) ([]int64, error) {
	if last == nil {
		return d.removed, nil
	}
	kept := func(n int64) bool {
		_, found := slices.BinarySearchFunc(last.Kept, n, func(k manifest.Kept, n int64) int { return cmp.Compare(k.Sequence, n) })
		return found
	}
	var lost []int64
	if p.o.Retention != nil {
		var err error
		if lost, err = p.o.Retention.Lost(d.judged, kept); err != nil {
			return nil, err
		}
	}
	for _, n := range p.o.Forget {
		if kept(n) && slices.Contains(d.removed, n) && !slices.Contains(lost, n) {
			lost = append(lost, n)
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// planOf names a decision: by the record of the ledger that it was planned from, the newest
// snapshot of the time, and a hash of what it removes.
func (s *ledgerView) planOf(d *decision) string {
	text := fmt.Appendf(nil, "%s %s", s.archiveID(), s.ledger.SHA256)
	for _, n := range d.removed {
		text = strconv.AppendInt(append(text, ' '), n, 10)
	}
	return fmt.Sprintf("%d-%d-%s", s.ledger.Number, s.newestValid(), manifest.Sum(text).String()[:16])
}

// asOf returns the standing without the snapshots that are newer than the newest of a plan;
// nil: the ledger is not the plan's any more.
func (s *ledgerView) asOf(plan string) *ledgerView {
	ledger, rest, _ := strings.Cut(plan, "-")
	newest, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(newest, 10, 64)
	if err != nil || ledger != strconv.FormatInt(s.ledger.Number, 10) || s.record != nil && n < s.record.Newest {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.valid, n, func(m snapshotEntry, n int64) int { return cmp.Compare(m.kept.Sequence, n) })
	if !found {
		return nil
	}
	then := *s
	then.valid = s.valid[:i+1]
	return &then
}

// tooMany is what the limit found: how many would go, and by which rules others would stay.
func tooMany(d *decision, lost []int64, last *manifest.Record, most int) error {
	of := fmt.Sprintf("%d of the %d snapshots of an archive that was never pruned", len(lost), len(d.judged))
	if last != nil {
		of = fmt.Sprintf("%d of the %d snapshots that the last prune kept", len(lost), len(last.Kept))
	}
	return fmt.Errorf("%w: %s would go (%d to %d); without a confirmation at most %d may; %d would stay (%s); nothing was removed",
		ErrPruneLimit, of, lost[0], lost[len(lost)-1], most, len(d.kept), staying(d.verdicts))
}

// staying counts what is kept by rule.
func staying(verdicts []retention.Verdict) string {
	counts := map[string]int{}
	var rules []string // the oldest snapshots come first, so those that reach back farthest do
	for i := range verdicts {
		for _, why := range verdicts[i].Why {
			if counts[why.Rule] == 0 {
				rules = append(rules, why.Rule)
			}
			counts[why.Rule]++
		}
	}
	for i, rule := range rules {
		rules[i] = fmt.Sprintf("%s: %d", rule, counts[rule])
	}
	return strings.Join(rules, ", ")
}
