package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
)

// PruneOptions says what Prune keeps.
type PruneOptions struct {
	// Retention decides which snapshots are kept. Nil: all of them, and only what no
	// snapshot needs is removed.
	Retention *retention.Policy
	// Forget names snapshots whose manifests cannot be read and which are to go all the
	// same: as long as one is kept, nothing can be deleted.
	Forget []int64
	// DryRun plans everything and changes nothing.
	DryRun bool

	// Limit bounds how many snapshots are removed of those that the last prune kept. Beyond
	// it, Prune removes nothing and returns a Refusal, which wraps ErrPruneLimit. While no
	// prune has written a record of the ledger, all snapshots count. A dry run puts the
	// Refusal into its report instead. The zero value is no limit.
	Limit retention.Limit
	// FirstRecord makes Prune write a record of the ledger also when it removes nothing, if
	// no prune has written one yet. Then the limit has something to go by.
	FirstRecord bool

	Acceptance // what an operator accepted of what a limited prune would remove
	// Waiting are refusals that an operator may still confirm. While one of them holds, a
	// refusal repeats it, however many snapshots came since.
	Waiting []Confirmation

	// Object is told each object that goes, or would go, and why; nil: nobody is. Calls
	// come one at a time.
	Object func(Pruned)
}

// Pruned is an object that a prune removes.
type Pruned struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // as stored, in bytes
	Why  string `json:"why"`
}

// PruneReport is what a prune did, or what a dry run would do.
type PruneReport struct {
	Verdicts []retention.Verdict `json:"-"`        // on each snapshot, ascending; without retention they keep all
	Record   int64               `json:"record"`   // the number of the ledger's record by which it went; 0 in a dry run that would write one
	Newest   int64               `json:"newest"`   // the greatest number of a snapshot that it knew: what bears a higher one is left alone
	Removed  []int64             `json:"removed"`  // snapshots that this prune dropped, ascending
	Deleted  PruneCounts         `json:"deleted"`  // what went, or would go
	Failed   PruneCounts         `json:"failed"`   // what could not be deleted, such as locked objects: another prune tries again
	Failures []string            `json:"failures"` // why not: what the store said, the first few
	Missing  int                 `json:"missing"`  // objects that kept snapshots name and that are not there: what may be theirs was left alone
	Foreign  int                 `json:"foreign"`  // objects below data/, bundles/ and pages/ that are none of an archive's: left alone
	Nested   []Nested            `json:"nested"`   // archives within this one, by prefix: all below their prefixes is left alone
	Within   string              `json:"within"`   // the address of an archive within which this one lies; empty: none is known

	Refused *Refusal `json:"-"` // of a dry run: what the limit would refuse; nil: nothing
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

// Prune removes the snapshots that the retention does not keep, and every object that no
// kept snapshot needs. First it writes a record of the ledger that says which snapshots
// there are from now on; then it deletes the manifests of the others, and then the objects
// that no kept manifest names and whose number is not above the newest snapshot's. No clock
// and no lock is asked: backups, copies and other prunes may run meanwhile, on any host,
// and whoever is suspended may go on at any time (format.md, rules 4 and 5; the package
// archive/protocol checks that in full). The newest snapshot is always kept, and so is
// what is held. The same call finishes what was broken off.
//
// Snapshots that are empty, or that lost more than half of what there was and hold nothing
// new, fill no slot of the retention, unless an operator accepted that for a backup.
//
// A Confirmation of a Refusal has Prune do exactly what it refused: it plans without the
// snapshots that came since, and keeps all of these. It is void once the ledger has another
// record, such as that of a hold, or once the plan is another.
//
// If one kept manifest cannot be read, or says something that this program does not know,
// no object is deleted: ErrDamaged, or an error that names the snapshot. What cannot be
// deleted, because it is locked or nobody may, is in the report, and the rest goes on. Other
// errors: ErrNoArchive, ErrNoSnapshot, ErrLostRace, and a Refusal. The report is there also with an error,
// as far as it goes.
func (a *Archive) Prune(ctx context.Context, o PruneOptions) (*PruneReport, error) {
	defer a.hold()()
	p := &pruneRun{
		Archive: a.withoutCache(), o: &o, report: &PruneReport{Removed: []int64{}, Failures: []string{}},
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

// A pruning is one call of Prune.
type pruneRun struct {
	*Archive
	o         *PruneOptions
	report    *PruneReport
	planned   []int64          // the snapshots that this attempt drops
	record    *manifest.Record // which snapshots there are
	marks     *markSet         // what they name
	protected map[string]bool  // stems of what they name and is not there
	nested    nested           // archives that lie within this one
}

func (p *pruneRun) once(ctx context.Context) error {
	var err error
	how := recordOptions{all: true, dryRun: p.o.DryRun}
	p.record, err = p.appendRecord(ctx, how, func(s *ledgerView) (*recordPlan, error) { return p.plan(ctx, s) })
	if err != nil {
		return err
	}
	p.report.Removed = append(p.report.Removed, p.planned...) // those of an attempt before are done
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

// A decision is what a prune does with each snapshot.
type decision struct {
	judged   []retention.Snapshot // as the retention judges them, ascending
	verdicts []retention.Verdict  // of the same ones
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

// judge describes each snapshot as retention sees it.
func (s *ledgerView) judge() []retention.Snapshot {
	hollow := s.hollow()
	tails := false
	for i := range s.valid {
		tails = tails || s.valid[i].hasTail && hollow[i] == ""
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
			all[i].Hollow = hollow[i]
		}
	}
	return all
}

// checkForget refuses to drop by force what can be dropped, or must not be.
func (p *pruneRun) checkForget(s *ledgerView) error {
	for _, n := range p.o.Forget {
		m := s.find(n)
		switch {
		case m == nil && slices.Contains(p.report.Removed, n): // an attempt before this one did it
		case m == nil:
			return fmt.Errorf("forgetting %d: %w", n, ErrNoSnapshot)
		case n == s.newestValid():
			return fmt.Errorf("snapshot %d is the newest, which is always kept: make a backup first, and then forget it", n)
		case m.kept.Held != "":
			return fmt.Errorf("snapshot %d is held (%s): release it first", n, m.kept.Held)
		case m.err == nil:
			return fmt.Errorf("snapshot %d can be read, so there is nothing to forget: the retention decides about it", n)
		}
	}
	return nil
}

// mark reads what the kept manifests name. Without one of them nothing may be deleted;
// if a later record has dropped it, there is a new plan to make.
func (p *pruneRun) mark(ctx context.Context) error {
	p.marks = newMarkSet()
	return p.blocked(ctx, p.readNames(ctx, p.record.Kept))
}

// blocked is the error of reading the kept manifests.
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
	return fmt.Errorf("no object was deleted, as one kept snapshot cannot be read: mend it (strongroom verify --repair), or give it up with --forget: %w", err)
}
