package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// PruneOptions are the options of Prune.
type PruneOptions struct {
	// Retention decides which snapshots are kept. Nil keeps all snapshots, and deletes only the objects that
	// no snapshot needs.
	Retention *retention.Policy
	// Forget lists snapshots with unreadable manifests that are dropped anyway. While one of them is kept,
	// nothing can be deleted.
	Forget []int64
	// DryRun plans everything and changes nothing.
	DryRun bool

	// Limit bounds how many of the snapshots kept by the last prune are removed. Above it, Prune removes
	// nothing and returns a Refusal, which wraps ErrPruneLimit. If no prune has written a ledger record yet,
	// all snapshots count. A dry run puts the Refusal into its report instead. The zero value disables the
	// limit.
	Limit retention.Limit
	// FirstRecord makes Prune write a ledger record even if it removes nothing, unless an earlier prune has
	// written one. The limit of later prunes counts from this record.
	FirstRecord bool

	Acceptance // what an operator accepted that a limited prune would refuse
	// Waiting are refusals that an operator may still confirm. While one of them is valid, a refusal repeats
	// it, regardless of how many snapshots were made since.
	Waiting []Confirmation

	// Object is called with each object that is deleted, or would be deleted in a dry run; nil disables it.
	// Calls are sequential.
	Object func(Pruned)
}

// Pruned is an object that a prune deletes, with the reason.
type Pruned struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // as stored, in bytes
	Why  string `json:"why"`
}

// PruneReport is what a prune did, or what a dry run would do.
type PruneReport struct {
	Verdicts []retention.Verdict `json:"-"`        // on each snapshot, ascending; without retention they keep all
	Record   int64               `json:"record"`   // the ledger record in force; 0 if a dry run would write one
	Newest   int64               `json:"newest"`   // the newest snapshot; objects with greater numbers are not deleted
	Removed  []int64             `json:"removed"`  // snapshots that this prune dropped, ascending
	Deleted  PruneCounts         `json:"deleted"`  // objects deleted, or to be deleted in a dry run
	Classes  []cost.Stored       `json:"classes"`  // what Deleted counts, by storage class
	Failed   PruneCounts         `json:"failed"`   // objects not deleted, such as locked ones; a later prune retries
	Failures []string            `json:"failures"` // the store's first errors for these objects
	Missing  int                 `json:"missing"`  // missing objects of kept snapshots; similar names are not deleted
	Foreign  int                 `json:"foreign"`  // objects in data/, bundles/ and pages/ with other keys; not deleted
	Nested   []Nested            `json:"nested"`   // archives within this one, by prefix; nothing in them is deleted
	Within   string              `json:"within"`   // the address of an archive around this one; empty if none is known

	Refused *Refusal `json:"-"` // in a dry run, what the limit would refuse; nil if nothing
}

// PruneCounts counts objects by kind.
type PruneCounts struct {
	Manifests int   `json:"manifests"`
	Objects   int   `json:"objects"` // data objects, bundles and pages
	Records   int   `json:"records"` // of the ledger
	Proofs    int   `json:"proofs"`
	Bytes     int64 `json:"bytes"` // of all of them, as stored
}

// All is the number of objects of all kinds.
func (c PruneCounts) All() int { return c.Manifests + c.Objects + c.Records + c.Proofs }

// Prune removes the snapshots that the retention does not keep, and every object that no kept snapshot needs.
// It has three steps:
//
//  1. It writes a ledger record that lists the snapshots that remain.
//  2. It deletes the manifests of the other snapshots.
//  3. It deletes each object that no kept manifest names, unless the object's number is above the newest
//     snapshot's.
//
// Prune uses neither clocks nor locks. Backups, copies and other prunes may run concurrently on any host, and
// may be suspended and resumed at any point (format.md, rules 4 and 5; the package archive/protocol checks
// this exhaustively). The newest snapshot and held snapshots are always kept. The same call completes an
// interrupted prune.
//
// Hollow snapshots fill no slot of the retention: empty ones, and those that lost more than half of the files
// and contain nothing new. The exception is a snapshot for which an operator accepted this in a backup.
//
// With a Confirmation of a Refusal, Prune does exactly what it refused: it plans without the snapshots that
// were made since, and keeps all of them. The Confirmation becomes invalid once the ledger has another record,
// such as that of a hold, or once the plan differs.
//
// If a kept manifest is unreadable, no object is deleted, and the error wraps ErrDamaged. If a kept manifest
// has a field that this version cannot interpret, no object is deleted, and the error names the snapshot.
// Objects that cannot be deleted, because of a lock or a lack of permission, are in the report, and the prune
// continues. Other errors: ErrNoArchive, ErrNoSnapshot, ErrLostRace, and a Refusal. With an error, the report
// covers what was done so far.
func (a *Archive) Prune(ctx context.Context, o PruneOptions) (*PruneReport, error) {
	defer a.hold()()
	ctx = store.InOrder(ctx)
	p := &pruneRun{
		Archive: a.withoutCache(), o: &o, report: &PruneReport{
			Removed: []int64{}, Failures: []string{}, Classes: []cost.Stored{},
		},
		nested: nested{roots{}, map[string]int64{}},
	}
	defer func() { p.report.Nested = p.nested.list() }()
	for attempt := 1; ; attempt++ {
		err := p.once(ctx)
		switch {
		case err == nil:
			return p.report, nil
		case !errors.Is(err, errGone):
			return p.report, err
		case attempt == raceAttempts:
			return p.report, fmt.Errorf("gave up after %d attempts: %w: %w", attempt, ErrLostRace, err)
		}
		if err := pause(ctx, min(attempt, 4)); err != nil {
			return p.report, err
		}
	}
}

// pruneRun is one call of Prune.
type pruneRun struct {
	*Archive
	o         *PruneOptions
	report    *PruneReport
	planned   []int64          // the snapshots that this attempt drops
	record    *manifest.Record // the record in force, which lists the kept snapshots
	marks     *markSet         // the objects that the kept snapshots name
	protected map[string]bool  // the bitFlipGroups of the objects that they name and that are missing
	nested    nested           // the archives that lie within this one
	isLocked  bool             // another process kept a delete waiting for too long; no other is tried
}

func (p *pruneRun) once(ctx context.Context) error {
	var err error
	how := recordOptions{all: true, dryRun: p.o.DryRun}
	p.record, err = p.appendRecord(ctx, how, func(s *ledgerView) (*recordPlan, error) { return p.plan(ctx, s) })
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
func (p *pruneRun) plan(ctx context.Context, s *ledgerView) (*recordPlan, error) {
	if err := p.checkForget(s); err != nil {
		return nil, err
	}
	d, err := p.decide(s)
	if err != nil {
		return nil, err
	}
	what := &recordPlan{why: whyPrune}
	if _, limited := p.o.Limit.Of(0); limited || p.o.FirstRecord {
		last, err := p.lastPruned(ctx, s.head)
		if err != nil {
			return nil, err
		}
		what.renew = last == nil && p.o.FirstRecord
		if limited {
			p.report.Verdicts = d.verdicts
			if d, what.accepted, err = p.checkLimit(s, d, last); err != nil {
				return nil, err
			}
		}
	}
	what.kept = d.kept
	p.report.Verdicts, p.planned = d.verdicts, d.removed
	p.report.Record = 0
	if s.recordMatches(what) {
		p.report.Record = s.record.Number
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

func (p *pruneRun) decide(s *ledgerView) (*decision, error) {
	d := &decision{judged: s.judge()}
	if err := p.apply(d); err != nil {
		return nil, err
	}
	for i := range s.valid {
		k, v := s.valid[i].kept, &d.verdicts[i]
		switch {
		case slices.Contains(p.o.Forget, k.Sequence):
			d.removed = append(d.removed, k.Sequence)
			v.Keep, v.Why = false, nil
		case v.Keep || k.Sequence == s.newestValid():
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
func (s *ledgerView) judge() []retention.Snapshot {
	isHollow := s.hollow()
	tails := false
	for i := range s.valid {
		tails = tails || s.valid[i].hasTail && isHollow[i] == ""
	}
	all := make([]retention.Snapshot, len(s.valid))
	for i := range s.valid {
		m := &s.valid[i]
		all[i] = retention.Snapshot{Sequence: m.kept.Sequence, Held: m.kept.Held, Unreadable: m.err != nil}
		if m.err == nil {
			listed := Snapshot{Summary: *m.m, Modified: m.object.Modified}
			all[i].Created = listed.effective()
			all[i].Damaged = m.m.Counts.Damaged > 0
			all[i].Incomplete = tails && !m.hasTail
			all[i].Hollow = isHollow[i]
		}
	}
	return all
}

// checkForget returns an error if a snapshot in Forget must not be dropped, or needs no force to be dropped.
func (p *pruneRun) checkForget(s *ledgerView) error {
	for _, n := range p.o.Forget {
		m := s.find(n)
		switch {
		case m == nil && slices.Contains(p.report.Removed, n): // an earlier attempt dropped it
		case m == nil:
			return fmt.Errorf("forgetting %d: %w", n, ErrNoSnapshot)
		case n == s.newestValid():
			return fmt.Errorf("snapshot %d is the newest, which is always kept; make a backup first, then forget it", n)
		case m.kept.Held != "":
			return fmt.Errorf("snapshot %d is held (%s); release it first", n, m.kept.Held)
		case m.err == nil:
			return fmt.Errorf("snapshot %d is readable, so it cannot be forgotten; the retention decides about it", n)
		}
	}
	return nil
}

// mark collects the keys that the kept manifests name. If a kept manifest is unreadable, nothing may be
// deleted. If a later record has dropped that manifest, the error is errGone, and the prune plans again.
func (p *pruneRun) mark(ctx context.Context) error {
	p.marks = newMarkSet()
	return p.blocked(ctx, p.readNames(ctx, p.record.Kept))
}

// blocked returns the error to report for a failure to read the kept manifests.
func (p *pruneRun) blocked(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now, ledgerErr := p.rereadLedger(ctx)
	switch {
	case ledgerErr != nil:
		return ledgerErr
	case now.ledger.Number > p.record.Number:
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w (%w)", err, ErrDamaged)
	}
	return fmt.Errorf("no object was deleted, since a kept snapshot is unreadable; "+
		"repair it or forget snapshots that cannot be repaired: %w", err)
}
