package copier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Copy implements archive.Copy.
func Copy(ctx context.Context, from, to *repo.Repo, o values.CopyOptions) (*values.CopyReport, error) {
	defer from.Begin()()
	defer to.Begin()()
	ctx = store.InOrder(ctx)
	c := &copyRun{
		from: from.WithoutCache(), to: to.WithoutCache(), o: &o,
		report:      &values.CopyReport{Snapshots: []int64{}, Problems: []values.Problem{}, Warnings: []string{}},
		staging:     staging.NewArea(o.Scratch),
		hasCompared: map[int64]bool{}, skipped: map[int64]bool{}, bad: map[string]*lostError{},
		reads: map[string]*values.ObjectRead{},
	}
	c.from.ReadsOnly = true
	if err := from.CheckCopy(to); err != nil {
		return c.report, fmt.Errorf("copy: %w", err)
	}
	err := c.run(ctx)
	c.warnUnread()
	if err != nil {
		return c.report, fmt.Errorf("copy: %w", err)
	}
	if o.DryRun {
		c.report.Plan, err = thaw.PlanReads(ctx, c.from.Objects, c.reads, 0, nil)
		return c.report, err
	}
	c.sweep(ctx)
	return c.report, nil
}

// A copyRun is one call of Copy.
type copyRun struct {
	from, to *repo.Repo
	o        *values.CopyOptions
	report   *values.CopyReport
	staging  *staging.Area

	ledger   *manifest.Record    // of the source, as last read
	hasBegun bool                // archive.json and the histories were compared
	head     *repo.Head          // of the target, as last read
	source   *repo.Head          // of the source, as last read
	rawID    []byte              // the target's archive.json, once it exists
	base     manifest.Ref        // the target's newest snapshot
	named    map[string]struct{} // the objects that base names

	isWarm      bool // objects of the source were examined, and none was frozen
	searched    bool // the orphans of an interrupted copy were listed
	existing    objects.Orphans
	sent        sentCount
	foreignKeys []string // keys of the target that hold other content; guarded by sent
	unreadKeys  []string // keys of the target whose content must be thawed before it can be compared; guarded by sent

	hasCompared, skipped map[int64]bool        // snapshots that failed once, and those that are skipped
	bad                  map[string]*lostError // objects that are missing or damaged in the source

	reads map[string]*values.ObjectRead // in a dry run: what would be read from the source
}

// errLookAgain: a snapshot cannot be read in the source. It may just have been pruned, so a second read must confirm
// the damage.
var errLookAgain = errors.New("a snapshot is incomplete in the source")

func (c *copyRun) run(ctx context.Context) error {
	lookAgain := objects.Retry{Is: func(err error) bool { return errors.Is(err, errLookAgain) }}
	for done := false; !done; {
		err := c.to.StartOver(ctx, "copy", func() (err error) {
			if done, err = c.step(ctx); err != nil {
				err = c.forget(ctx, err)
			}
			return err
		}, objects.Raced(repo.ErrRaced), lookAgain)
		if err != nil {
			return err
		}
	}
	return nil
}

// forget forgets after an error what the next attempt has to read again. It returns the error of the copy.
func (c *copyRun) forget(ctx context.Context, err error) error {
	c.foreignKeys = nil
	if !c.o.DryRun { // a dry run has written nothing that it could read again
		c.hasBegun, c.searched = false, false
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
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
		case errors.Is(err, repo.ErrVoid):
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
	c.to.Log.Warn("a snapshot cannot be copied and is skipped", "snapshot", n, "object", lost.key, "error", lost.err)
	for i := range c.report.Problems {
		if p := &c.report.Problems[i]; p.Object == lost.key {
			p.Snapshots = append(p.Snapshots, n)
			return nil
		}
	}
	c.report.Problems = append(c.report.Problems, values.Problem{Object: lost.key, Kind: lost.kind, Detail: lost.err.Error(), Snapshots: []int64{n}})
	return nil
}

// lostError is an object of the source that is missing, or differs from what was stored.
type lostError struct {
	key  string
	kind values.ProblemKind
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
	for o, err := range c.from.Store.List(ctx, manifest.ManifestsPrefix, "", after) {
		if err != nil {
			return 0, fmt.Errorf("listing the source's snapshots: %w", err)
		}
		if n, ok := manifest.ParseManifestKey(o.Key); ok {
			if c.source.Ignores(n) {
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

// read returns a snapshot of the source with its bytes. The error is ErrVoid if the ledger, which is read after them,
// has dropped the snapshot, and ErrRaced if the snapshot is gone.
func (c *copyRun) read(ctx context.Context, n int64) (*repo.Snapshot, []byte, error) {
	key := manifest.ManifestKey(n)
	s, ref, err := c.from.ReadSnapshot(ctx, n, nil)
	switch {
	case err != nil && ref.Sequence == 0 && errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("the source's snapshot %d is gone: %w", n, repo.ErrRaced)
	case err != nil && !errors.Is(err, values.ErrDamaged):
		return nil, nil, err
	}
	h := c.from.NewHead()
	if ledgerErr := c.from.ReadLedger(ctx, h); ledgerErr != nil {
		return nil, nil, ledgerErr
	}
	c.ledger = h.Record
	if !h.Record.ValidNumber(n) || ref.Sequence != 0 && !h.Record.Valid(n, ref.SHA256) {
		return nil, nil, repo.ErrVoid
	}
	var page *repo.BadObject
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return nil, nil, fmt.Errorf("snapshot %d was written by a later version, which must copy it: %w", n, err)
	case errors.As(err, &page):
		return nil, nil, lostObject(page.Key, page.Err)
	case err != nil:
		return nil, nil, &lostError{key, values.ProblemManifest, err}
	case s.Manifest.Archive != c.report.Archive:
		return nil, nil, &lostError{key, values.ProblemChain, fmt.Errorf("it belongs to another archive, %s: %w", s.Manifest.Archive, values.ErrDamaged)}
	}
	if err := c.contradicted(ctx, ref); err != nil {
		return nil, nil, err
	}
	raw, err := c.from.Get(ctx, key, manifest.MaxManifestBytes, func(b []byte) error {
		if manifest.Sum(b) != ref.SHA256 {
			return fmt.Errorf("%s has changed since it was first read: %w", key, repo.ErrRaced)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the source's snapshot %d is gone: %w", n, repo.ErrRaced)
	}
	c.from.Remember(s) // the next one shares most of its pages
	return s, raw, err
}

func lostObject(key string, err error) *lostError {
	if errors.Is(err, fs.ErrNotExist) {
		return &lostError{key, values.ProblemMissing, fmt.Errorf("it is not in the source: %w (%w)", values.ErrDamaged, err)}
	}
	return &lostError{key, values.ProblemContent, err}
}

// copySnapshot copies the objects that a snapshot needs, and then its manifest, and makes it the base of the next one.
func (c *copyRun) copySnapshot(ctx context.Context, s *repo.Snapshot, raw []byte) error {
	n := s.Ref.Sequence
	p := s.Manifest.Parent
	renamed := p != nil && p.Sequence == c.base.Sequence && *p != c.base
	if renamed && !repo.Keeps(c.ledger, c.base) { // else it was repaired, and the ledger names it
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
			c.reads[send[i].key] = &values.ObjectRead{Key: send[i].key, Bytes: send[i].sums.Size, Requests: 1}
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
	c.base, c.named = s.Ref, named
	c.report.Snapshots, c.report.Newest = append(c.report.Snapshots, n), n
	return nil
}

func (c *copyRun) diverged(n int64) error {
	return fmt.Errorf("%w: its snapshot %d is not the one that the source's snapshot %d follows; "+
		"were backups made to the copy? Copy to another destination, or continue with the correct archive",
		values.ErrNoCopy, c.base.Sequence, n)
}
