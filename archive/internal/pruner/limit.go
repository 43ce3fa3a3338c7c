package pruner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// lastPruned returns the record that the last prune left in force; nil if there was no prune. Holds and copies
// also write records; these keep everything, without a retention.
func lastPruned(ctx context.Context, a *repo.Repo, h *repo.Head) (*manifest.Record, error) {
	r := h.Record
	for r != nil && !strings.HasPrefix(r.Why, whyPrune) {
		if r.Parent == nil {
			return nil, nil
		}
		var before repo.Head
		err := a.ReadRecord(ctx, &before, r.Parent.Number)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return r, nil // only a prune deletes records, and that prune left this one in force
		case errors.Is(err, values.ErrDamaged) || err == nil && before.Ledger != *r.Parent:
			return nil, nil
		case err != nil:
			return nil, err
		}
		r = before.Record
	}
	return r, nil
}

// checkLimit returns the decision that a limited prune executes, with the guards that an operator accepted for
// it. The decision is the given one, or one that an operator confirmed.
func (p *pruneRun) checkLimit(s *repo.LedgerView, d *decision, last *manifest.Record) (*decision, []manifest.Guard, error) {
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
		// The later snapshots count as created after this prune listed the manifests: they are kept, and
		// the record does not list them.
		s.Valid = then.Valid
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

// refusal returns the Refusal of a decision. If an earlier refused decision is still valid, it returns that
// one again: an operator may be about to confirm it, while new snapshots are made.
func (p *pruneRun) refusal(s *repo.LedgerView, d *decision, lost []int64, last *manifest.Record, most int) (*values.Refusal, error) {
	then, was, err := p.readLastPlan(s, p.o.Waiting)
	if err != nil {
		return nil, err
	}
	if was != nil {
		wasLost, err := p.lost(was, last)
		if err != nil {
			return nil, err
		}
		if len(wasLost) > most { // otherwise another policy or limit removes the same by chance
			s, d, lost = then, was, wasLost
		}
	}
	return &values.Refusal{
		Confirmation: values.Confirmation{Guard: manifest.GuardPrune, Plan: planOf(s, d)}, Err: tooMany(d, lost, last, most),
	}, nil
}

// readLastPlan returns the first of some decisions that is still valid, with the ledger view that it was made
// from, which lacks the snapshots made since. It returns nil if none is valid.
func (p *pruneRun) readLastPlan(s *repo.LedgerView, plans []values.Confirmation) (*repo.LedgerView, *decision, error) {
	for _, c := range plans {
		then := asOf(s, c.Plan)
		if c.Guard != manifest.GuardPrune || then == nil {
			continue
		}
		was, err := p.decide(then)
		if err != nil {
			return nil, nil, err
		}
		if planOf(then, was) == c.Plan {
			return then, was, nil
		}
	}
	return nil, nil, nil
}

// lost returns the removed snapshots that count against the limit, in ascending order.
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

// planOf returns the name of a decision. It contains the number of the ledger record that the decision was
// planned from, the newest snapshot at that time, and a hash of the snapshots to remove.
func planOf(s *repo.LedgerView, d *decision) string {
	text := fmt.Appendf(nil, "%s %s", s.ArchiveID(), s.Ledger.SHA256)
	for _, n := range d.removed {
		text = strconv.AppendInt(append(text, ' '), n, 10)
	}
	return fmt.Sprintf("%d-%d-%s", s.Ledger.Number, s.NewestValid(), manifest.Sum(text).String()[:16])
}

// asOf returns the ledger view without the snapshots that are newer than a plan's newest. It returns nil if the
// ledger has changed since the plan.
func asOf(s *repo.LedgerView, plan string) *repo.LedgerView {
	ledger, rest, _ := strings.Cut(plan, "-")
	newest, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(newest, 10, 64)
	if err != nil || ledger != strconv.FormatInt(s.Ledger.Number, 10) || s.Record != nil && n < s.Record.Newest {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.Valid, n, func(m repo.SnapshotEntry, n int64) int { return cmp.Compare(m.Kept.Sequence, n) })
	if !found {
		return nil
	}
	then := *s
	then.Valid = s.Valid[:i+1]
	return &then
}

// tooMany returns the error of an exceeded limit: how many snapshots would be removed, and how many would be
// kept by which rules.
func tooMany(d *decision, lost []int64, last *manifest.Record, most int) error {
	of := fmt.Sprintf("%d of the %d snapshots of an archive that was never pruned", len(lost), len(d.judged))
	if last != nil {
		of = fmt.Sprintf("%d of the %d snapshots that the last prune kept", len(lost), len(last.Kept))
	}
	return fmt.Errorf("%w: it would remove %s (%d to %d), and may remove at most %d without a confirmation; "+
		"it would keep %d (%s); nothing was removed",
		values.ErrPruneLimit, of, lost[0], lost[len(lost)-1], most, len(d.kept), staying(d.verdicts))
}

// staying lists how many snapshots each rule keeps.
func staying(verdicts []retention.Verdict) string {
	counts := map[string]int{}
	var rules []string // the rules that reach back farthest come first, as the oldest snapshots do
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
