package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrFreezes reports that an operation needs to read back what it stores, and the store's settings put log content in a
// class from which it must be thawed.
var ErrFreezes = errors.New("the address stores log content in a class from which it must be thawed before it can be read")

// TakesBackups returns ErrFreezes if the settings of the store allow no Backup. It sends no request.
func (a *Archive) TakesBackups() error {
	if class := store.FrozenClass(a.store); class != "" {
		return fmt.Errorf("%w (%s); make the snapshots in another archive, and copy that one to this address",
			ErrFreezes, class)
	}
	return nil
}

// ErrNoCopy reports that the target of a copy holds something other than an earlier copy of the source. The source's
// snapshots cannot be added to it.
var ErrNoCopy = errors.New("the target is not a copy of this archive")

// CopyOptions configures Copy. The zero value is ready for use.
type CopyOptions struct {
	Tool   string // for Reencrypt alone: program name and version
	DryRun bool   // reports what would be copied, and writes nothing
	// Thaw makes the copy thaw what it reads of the source, and wait for that. If it is nil, the error for a source
	// that must be thawed is a FrozenError.
	Thaw    *ThawOptions
	Scratch string // the directory for objects over 16 MiB in transit, two at a time; empty: os.TempDir
}

// CopyReport reports what a copy did, or what a dry run would do.
type CopyReport struct {
	Archive   string  `json:"archive"`   // the id of both archives
	Snapshots []int64 `json:"snapshots"` // the snapshots that were copied, ascending
	Newest    int64   `json:"newest"`    // the target's newest snapshot now; 0 if it has none
	Objects   int     `json:"objects"`   // data objects, bundles and pages that were sent
	Bytes     int64   `json:"bytes"`     // stored bytes of those objects
	Adopted   int     `json:"adopted"`   // objects that were adopted from an interrupted copy
	// Uncompared are those of Adopted that must be thawed before they can be read. Their size and the checksum that the
	// target reports are right, and other writers can forge both.
	Uncompared int       `json:"uncompared"`
	Problems   []Problem `json:"problems"` // why snapshots could not be copied; these were skipped
	Warnings   []string  `json:"warnings"`

	Plan ReadPlan `json:"-"` // of a dry run of Copy: what would be read from the source
}

// Copy adds to the archive to the snapshots of from that are above its own newest snapshot. It copies them in ascending
// order, with the same numbers and the same bytes, and each after the objects that it needs. It compares every object
// with the manifest before it sends the object's first byte. The same call continues an interrupted copy, and does
// nothing if the target is complete. Other copies, backups to the source, and prunes of either archive may run
// concurrently.
//
// Copy skips and reports a snapshot if the source has lost or damaged an object that the snapshot needs. The target
// then never gets it, like a snapshot that was pruned before it could be copied. Holds are not copied. Copy reads back
// an object that the target already has under a key that a snapshot names. If the object has other content, the copy
// fails with store.ErrExists, since the manifest names no other key. Of an object that must be thawed before it can be
// read, Copy compares the size and the checksum that the target reports, and counts it as CopyReport.Uncompared: a
// warning names it, and a Verify that thaws and reads it finds out whether it was forged. So the settings of the target
// may put log content in such a class (store.Freezer), and a later copy reads none of it.
//
// A backup to the target gives it another history, and the next copy fails with ErrNoCopy. Other errors: ErrOverlap,
// ErrNoArchive, ErrLostRace, and ErrDamaged if nothing can be copied. The report is never nil; with an error it covers
// the work that was done before.
func Copy(ctx context.Context, from, to *Archive, o CopyOptions) (*CopyReport, error) {
	defer from.hold()()
	defer to.hold()()
	ctx = store.InOrder(ctx)
	c := &copyRun{
		from: from.withoutCache(), to: to.withoutCache(), o: &o,
		report:      &CopyReport{Snapshots: []int64{}, Problems: []Problem{}, Warnings: []string{}},
		staging:     newStagingArea(o.Scratch),
		hasCompared: map[int64]bool{}, skipped: map[int64]bool{}, bad: map[string]*lostError{},
		reads: map[string]*ObjectRead{},
	}
	c.from.readsOnly = true
	if err := from.checkCopy(to); err != nil {
		return c.report, fmt.Errorf("copy: %w", err)
	}
	err := c.run(ctx)
	c.warnUnread()
	if err != nil {
		return c.report, fmt.Errorf("copy: %w", err)
	}
	if o.DryRun {
		c.report.Plan, err = c.from.planReads(ctx, c.reads, 0, nil)
		return c.report, err
	}
	c.sweep(ctx)
	return c.report, nil
}

// A copyRun is one call of Copy.
type copyRun struct {
	from, to *Archive
	o        *CopyOptions
	report   *CopyReport
	staging  *stagingArea

	ledger   *manifest.Record    // of the source, as last read
	hasBegun bool                // archive.json and the histories were compared
	head     *head               // of the target, as last read
	source   *head               // of the source, as last read
	rawID    []byte              // the target's archive.json, once it exists
	base     manifest.Ref        // the target's newest snapshot
	named    map[string]struct{} // the objects that base names

	isWarm      bool // objects of the source were examined, and none was frozen
	searched    bool // the orphans of an interrupted copy were listed
	existing    orphans
	sent        sentCount
	foreignKeys []string // keys of the target that hold other content; guarded by sent
	unreadKeys  []string // keys of the target whose content must be thawed before it can be compared; guarded by sent

	hasCompared, skipped map[int64]bool        // snapshots that failed once, and those that are skipped
	bad                  map[string]*lostError // objects that are missing or damaged in the source

	reads map[string]*ObjectRead // in a dry run: what would be read from the source
}

// errLookAgain: a snapshot cannot be read in the source. It may just have been pruned, so a second read must confirm
// the damage.
var errLookAgain = errors.New("a snapshot is incomplete in the source")

func (c *copyRun) run(ctx context.Context) error {
	for raced := 0; ; {
		done, err := c.step(ctx)
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			raced = 0
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errRaced):
			if raced++; raced == raceAttempts {
				return fmt.Errorf("gave up after %d attempts: %w: %w", raced, ErrLostRace, err)
			}
		case !errors.Is(err, errLookAgain):
			return err
		}
		c.foreignKeys = nil
		if !c.o.DryRun { // a dry run has written nothing that it could read again
			c.hasBegun, c.searched = false, false
		}
		c.to.log.Debug("the copy starts over", "reason", err)
		if err := pause(ctx, min(raced, 4)); err != nil {
			return err
		}
	}
}

// step copies the next snapshot that can be copied (archive/protocol has the order of reads and writes, and what
// depends on it).
func (c *copyRun) step(ctx context.Context) (done bool, err error) {
	if err := c.readTarget(ctx); err != nil {
		return false, err
	}
	if !c.hasBegun {
		if err := c.begin(ctx); err != nil {
			return false, err
		}
		c.hasBegun = true
	}
	for n := c.base.Sequence; ; {
		n, err = c.next(ctx, n)
		if err != nil || n == 0 {
			return err == nil, err
		}
		if c.skipped[n] {
			continue
		}
		s, raw, err := c.read(ctx, n)
		if err == nil {
			err = c.copySnapshot(ctx, s, raw)
		}
		var lost *lostError
		switch {
		case errors.Is(err, errVoid):
			continue
		case errors.As(err, &lost) && ctx.Err() == nil:
			if err := c.skipSnapshot(n, lost); err != nil {
				return false, err
			}
			continue
		}
		return false, err
	}
}

// skipSnapshot skips and reports a snapshot that has failed for the second time. After the first time it returns
// errLookAgain.
func (c *copyRun) skipSnapshot(n int64, lost *lostError) error {
	if !c.hasCompared[n] && c.bad[lost.key] == nil {
		c.hasCompared[n] = true
		return fmt.Errorf("snapshot %d: %w: %w", n, errLookAgain, lost)
	}
	c.skipped[n], c.bad[lost.key] = true, lost
	c.to.log.Warn("a snapshot cannot be copied and is skipped", "snapshot", n, "object", lost.key, "error", lost.err)
	for i := range c.report.Problems {
		if p := &c.report.Problems[i]; p.Object == lost.key {
			p.Snapshots = append(p.Snapshots, n)
			return nil
		}
	}
	c.report.Problems = append(c.report.Problems, Problem{Object: lost.key, Kind: lost.kind, Detail: lost.err.Error(), Snapshots: []int64{n}})
	return nil
}

// lostError is an object of the source that is missing, or differs from what was stored.
type lostError struct {
	key  string
	kind ProblemKind
	err  error
}

func (l *lostError) Error() string { return l.key + ": " + l.err.Error() }
func (l *lostError) Unwrap() error { return l.err }

// next returns the source's lowest snapshot above n; 0 if there is none. If a number is missing, it lists a second
// time. The first listing may have been under way when a snapshot and its child were created, and show only the child.
func (c *copyRun) next(ctx context.Context, n int64) (int64, error) {
	m, err := c.listNext(ctx, n)
	if err == nil && m > n+1 {
		m, err = c.listNext(ctx, n)
	}
	return m, err
}

func (c *copyRun) listNext(ctx context.Context, n int64) (int64, error) {
	after := ""
	if n > 0 {
		after = manifest.ManifestKey(n)
	}
	for o, err := range c.from.store.List(ctx, manifest.ManifestsPrefix, "", after) {
		if err != nil {
			return 0, fmt.Errorf("listing the source's snapshots: %w", err)
		}
		if n, ok := manifest.ParseManifestKey(o.Key); ok {
			if c.source.ignores(n) {
				continue
			}
			return n, nil
		}
		if o.Key > manifest.ManifestsPrefix+":" { // digits sort before ":"; a nested archive may follow
			break
		}
	}
	return 0, nil
}

// read returns a snapshot of the source with its bytes. The error is errVoid if the ledger, which is read after them,
// has dropped the snapshot, and errRaced if the snapshot is gone.
func (c *copyRun) read(ctx context.Context, n int64) (*snapshot, []byte, error) {
	key := manifest.ManifestKey(n)
	s, ref, err := c.from.readSnapshot(ctx, n, nil)
	switch {
	case err != nil && ref.Sequence == 0 && errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("the source's snapshot %d is gone: %w", n, errRaced)
	case err != nil && !errors.Is(err, ErrDamaged):
		return nil, nil, err
	}
	h := c.from.newHead()
	if ledgerErr := c.from.readLedger(ctx, h); ledgerErr != nil {
		return nil, nil, ledgerErr
	}
	c.ledger = h.record
	if !h.record.ValidNumber(n) || ref.Sequence != 0 && !h.record.Valid(n, ref.SHA256) {
		return nil, nil, errVoid
	}
	var page *badObject
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return nil, nil, fmt.Errorf("snapshot %d was written by a later version, which must copy it: %w", n, err)
	case errors.As(err, &page):
		return nil, nil, lostObject(page.key, page.err)
	case err != nil:
		return nil, nil, &lostError{key, ProblemManifest, err}
	case s.m.Archive != c.report.Archive:
		return nil, nil, &lostError{key, ProblemChain, fmt.Errorf("it belongs to another archive, %s: %w", s.m.Archive, ErrDamaged)}
	}
	if err := c.contradicted(ctx, ref); err != nil {
		return nil, nil, err
	}
	raw, err := c.from.get(ctx, key, manifest.MaxManifestBytes, func(b []byte) error {
		if manifest.Sum(b) != ref.SHA256 {
			return fmt.Errorf("%s has changed since it was first read: %w", key, errRaced)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the source's snapshot %d is gone: %w", n, errRaced)
	}
	c.from.remember(s) // the next one shares most of its pages
	return s, raw, err
}

func lostObject(key string, err error) *lostError {
	if errors.Is(err, fs.ErrNotExist) {
		return &lostError{key, ProblemMissing, fmt.Errorf("it is not in the source: %w (%w)", ErrDamaged, err)}
	}
	return &lostError{key, ProblemContent, err}
}

// copySnapshot copies the objects that a snapshot needs, and then its manifest, and makes it the base of the next one.
func (c *copyRun) copySnapshot(ctx context.Context, s *snapshot, raw []byte) error {
	n := s.ref.Sequence
	p := s.m.Parent
	renamed := p != nil && p.Sequence == c.base.Sequence && *p != c.base
	if renamed && !keeps(c.ledger, c.base) { // else it was repaired, and the ledger names it
		return c.diverged(n)
	}
	named, send, err := c.plan(s)
	if err != nil {
		return err
	}
	never, err := c.skippedNumbers(ctx, s)
	if err != nil {
		return err
	}
	if c.o.DryRun {
		for i := range send {
			c.report.Objects++
			c.report.Bytes += send[i].sums.Size
			c.reads[send[i].key] = &ObjectRead{Key: send[i].key, Bytes: send[i].sums.Size, Requests: 1}
		}
	} else {
		if never > 0 || renamed {
			if err := c.announce(ctx, never); err != nil {
				return err
			}
		}
		if err := c.store(ctx, s, named, send); err != nil {
			return err
		}
		if err := c.commit(ctx, s, raw); err != nil {
			return err
		}
	}
	c.base, c.named = s.ref, named
	c.report.Snapshots, c.report.Newest = append(c.report.Snapshots, n), n
	return nil
}

func (c *copyRun) diverged(n int64) error {
	return fmt.Errorf("%w: its snapshot %d is not the one that the source's snapshot %d follows; "+
		"were backups made to the copy? Copy to another destination, or continue with the correct archive",
		ErrNoCopy, c.base.Sequence, n)
}
