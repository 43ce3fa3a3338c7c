package pruner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Prune implements the method of archive.Archive.
func Prune(ctx context.Context, a *repo.Repo, o values.PruneOptions) (*values.PruneReport, error) {
	defer a.Begin()()
	ctx = store.InOrder(ctx)
	p := &pruneRun{
		repo: a.WithoutCache(), o: &o, report: &values.PruneReport{
			Removed: []int64{}, Failures: []string{}, Classes: []cost.Stored{},
		},
		nested: nestedFound{nested.Roots{}, map[string]int64{}},
	}
	defer func() { p.report.Nested = p.nested.list() }()
	err := a.StartOver(ctx, "prune", func() error { return p.once(ctx) }, objects.Raced(objects.ErrGone))
	return p.report, err
}

// pruneRun is one call of Prune.
type pruneRun struct {
	repo      *repo.Repo
	o         *values.PruneOptions
	report    *values.PruneReport
	planned   []int64          // the snapshots that this attempt drops
	record    *manifest.Record // the record in force, which lists the kept snapshots
	marks     *markSet         // the objects that the kept snapshots name
	protected map[string]bool  // the bitFlipGroups of the objects that they name and that are missing
	nested    nestedFound      // the archives that lie within this one
	isLocked  bool             // another process kept a delete waiting for too long; no other is tried
}

func (p *pruneRun) once(ctx context.Context) error {
	var err error
	how := repo.RecordOptions{All: true, DryRun: p.o.DryRun}
	p.record, err = p.repo.AppendRecord(ctx, how, func(s *repo.LedgerView) (*repo.RecordPlan, error) { return p.plan(ctx, s) })
	if err != nil {
		return err
	}
	p.report.Removed = append(p.report.Removed, p.planned...) // after those of earlier attempts
	slices.Sort(p.report.Removed)
	if !p.o.DryRun || p.report.Record != 0 {
		p.report.Record = p.record.Number
	}
	p.report.Newest = p.record.Newest
	if err := p.mark(ctx); err != nil {
		return err
	}
	return p.sweep(ctx)
}

// whyPrune begins the reason of each record that a prune wrote.
const whyPrune = "prune"

// plan decides which snapshots are kept.
func (p *pruneRun) plan(ctx context.Context, s *repo.LedgerView) (*repo.RecordPlan, error) {
	if err := p.checkForget(s); err != nil {
		return nil, err
	}
	d, err := p.decide(s)
	if err != nil {
		return nil, err
	}
	what := &repo.RecordPlan{Why: whyPrune}
	if _, limited := p.o.Limit.Of(0); limited || p.o.FirstRecord {
		last, err := lastPruned(ctx, p.repo, s.Head)
		if err != nil {
			return nil, err
		}
		what.Renew = last == nil && p.o.FirstRecord
		if limited {
			p.report.Verdicts = d.verdicts
			if d, what.Accepted, err = p.checkLimit(s, d, last); err != nil {
				return nil, err
			}
		}
	}
	what.Kept = d.kept
	p.report.Verdicts, p.planned = d.verdicts, d.removed
	p.report.Record = 0
	if s.RecordMatches(what) {
		p.report.Record = s.Record.Number
	}
	return what, nil
}

// decision is what a prune does with each snapshot.
type decision struct {
	judged   []retention.Snapshot // the snapshots as input of the retention, ascending
	verdicts []retention.Verdict  // on the same snapshots, in the same order
	kept     []manifest.Kept
	removed  []int64
}

func (p *pruneRun) decide(s *repo.LedgerView) (*decision, error) {
	d := &decision{judged: judge(s)}
	if err := p.apply(d); err != nil {
		return nil, err
	}
	for i := range s.Valid {
		k, v := s.Valid[i].Kept, &d.verdicts[i]
		switch {
		case slices.Contains(p.o.Forget, k.Sequence):
			d.removed = append(d.removed, k.Sequence)
			v.Keep, v.Why = false, nil
		case v.Keep || k.Sequence == s.NewestValid():
			d.kept = append(d.kept, k)
		default:
			d.removed = append(d.removed, k.Sequence)
		}
	}
	return d, nil
}

// apply fills in the verdicts.
func (p *pruneRun) apply(d *decision) (err error) {
	if p.o.Retention != nil {
		d.verdicts, err = p.o.Retention.Apply(d.judged)
		return err
	}
	d.verdicts = make([]retention.Verdict, len(d.judged))
	for i, one := range d.judged {
		d.verdicts[i] = retention.Verdict{Snapshot: one, Keep: true}
	}
	return nil
}

// judge describes each snapshot as input for the retention.
func judge(s *repo.LedgerView) []retention.Snapshot {
	isHollow := hollow(s)
	tails := false
	for i := range s.Valid {
		tails = tails || s.Valid[i].HasTail && isHollow[i] == ""
	}
	all := make([]retention.Snapshot, len(s.Valid))
	for i := range s.Valid {
		m := &s.Valid[i]
		all[i] = retention.Snapshot{Sequence: m.Kept.Sequence, Held: m.Kept.Held, Unreadable: m.Err != nil}
		if m.Err == nil {
			listed := values.Snapshot{Summary: *m.Summary, Modified: m.Object.Modified}
			all[i].Created = repo.Effective(&listed)
			all[i].Damaged = m.Summary.Counts.Damaged > 0
			all[i].Incomplete = tails && !m.HasTail
			all[i].Hollow = isHollow[i]
		}
	}
	return all
}

// checkForget returns an error if a snapshot in Forget must not be dropped, or needs no force to be dropped.
func (p *pruneRun) checkForget(s *repo.LedgerView) error {
	for _, n := range p.o.Forget {
		m := s.Find(n)
		switch {
		case m == nil && slices.Contains(p.report.Removed, n): // an earlier attempt dropped it
		case m == nil:
			return fmt.Errorf("forgetting %d: %w", n, values.ErrNoSnapshot)
		case n == s.NewestValid():
			return fmt.Errorf("snapshot %d is the newest, which is always kept; make a backup first, then forget it", n)
		case m.Kept.Held != "":
			return fmt.Errorf("snapshot %d is held (%s); release it first", n, m.Kept.Held)
		case m.Err == nil:
			return fmt.Errorf("snapshot %d is readable, so it cannot be forgotten; the retention decides about it", n)
		}
	}
	return nil
}

// mark collects the keys that the kept manifests name. If a kept manifest is unreadable, nothing may be
// deleted. If a later record has dropped that manifest, the error is ErrGone, and the prune plans again.
func (p *pruneRun) mark(ctx context.Context) error {
	p.marks = newMarkSet()
	return p.blocked(ctx, p.readNames(ctx, p.record.Kept))
}

// blocked returns the error to report for a failure to read the kept manifests.
func (p *pruneRun) blocked(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, values.ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now, ledgerErr := p.repo.RereadLedger(ctx)
	switch {
	case ledgerErr != nil:
		return ledgerErr
	case now.Ledger.Number > p.record.Number:
		return fmt.Errorf("%w: %w", objects.ErrGone, err)
	}
	if !errors.Is(err, values.ErrDamaged) {
		err = fmt.Errorf("%w (%w)", err, values.ErrDamaged)
	}
	return fmt.Errorf("no object was deleted, since a kept snapshot is unreadable; "+
		"repair it or forget snapshots that cannot be repaired: %w", err)
}
