package copier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/archiver"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// readTarget reads the target's newest snapshot and the keys that it names. After its first step a dry run does not
// read the target again: it continues from the snapshots that it would have copied.
func (c *copyRun) readTarget(ctx context.Context) error {
	if c.o.DryRun && c.hasBegun {
		return nil
	}
	h, err := c.to.LoadAs(ctx, !c.o.DryRun)
	if err != nil {
		return fmt.Errorf("reading the target: %w", err)
	}
	newest := h.Newest()
	switch {
	case h.CheckLostID() != nil:
		return fmt.Errorf("the target: %w", values.ErrLostID)
	case h.BadID:
		return fmt.Errorf("the target's %s cannot be read, so its archive id is unknown: %w",
			manifest.ArchiveKey, values.ErrDamaged)
	case h.Parent != nil && (h.Base == nil || h.Base.Ref != newest):
		return fmt.Errorf("the target's newest snapshot %d cannot be read, so the objects that it needs are unknown; "+
			"repair it, or copy to another destination: %w", newest.Sequence, values.ErrDamaged)
	case h.Record != nil && newest.Sequence < h.Record.Newest:
		return fmt.Errorf("the target's ledger lists snapshot %d, whose manifest is missing; "+
			"repair it, or copy to another destination: %w", h.Record.Newest, values.ErrDamaged)
	}
	if c.head == nil {
		for _, p := range h.Anomalies {
			c.report.Warnings = append(c.report.Warnings, fmt.Sprintf("the target: %s %s", p.Object, p.Detail))
		}
	}
	c.head = h
	if c.named == nil || c.base != newest {
		c.base, c.named = newest, map[string]struct{}{}
		if h.Base != nil {
			repo.EachObject(h.Base, func(key string, _ *manifest.Part, _ *manifest.PageRef) { c.named[key] = struct{}{} })
		}
	}
	c.report.Newest = newest.Sequence
	return nil
}

// begin checks that the target is an earlier copy of the source, or empty. An empty target gets archive.json first.
// The target was read before the source, so a concurrent copy cannot make the source appear older than the target.
func (c *copyRun) begin(ctx context.Context) error {
	h, err := c.from.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	if !h.Exists() {
		return fmt.Errorf("the source: %w", c.from.Nothing(ctx))
	}
	if c.report.Archive == "" {
		for _, w := range h.Warnings {
			c.report.Warnings = append(c.report.Warnings, "the source: "+w)
		}
	}
	c.source = h
	c.keepSource(ctx, h)
	id, there := h.ArchiveID(), c.head.ArchiveID()
	newest := h.Newest()
	switch {
	case id == "":
		return fmt.Errorf("the source's %s is missing or cannot be read, and no readable manifest has its id: %w",
			manifest.ArchiveKey, values.ErrDamaged)
	case there != "" && there != id:
		return fmt.Errorf("%w: it holds archive %s, and the source is archive %s; copy to another destination",
			values.ErrNoCopy, there, id)
	case h.Layout() != "" && c.head.Layout() != "" && h.Layout() != c.head.Layout():
		return fmt.Errorf("%w: its layout is %s, and the source's is %s", values.ErrNoCopy, c.head.Layout(), h.Layout())
	case newest.Sequence < c.base.Sequence:
		return fmt.Errorf("%w: its newest snapshot is %d, and the source's is only %d; "+
			"were backups made to the copy, or has the source lost snapshots?",
			values.ErrNoCopy, c.base.Sequence, newest.Sequence)
	case newest.Sequence == c.base.Sequence && newest != c.base:
		return fmt.Errorf("%w: both have a snapshot %d, and the two differ; were backups made to the copy?",
			values.ErrNoCopy, newest.Sequence)
	}
	if h.Parent == nil {
		if err := c.from.Emptied(ctx, h, 0); err != nil {
			return fmt.Errorf("the source: %w", err)
		}
	}
	c.report.Archive = id
	if !c.head.Exists() {
		if err := c.to.State.CheckPlace(); err != nil {
			return err
		}
		warning, err := nested.CheckApart(ctx, c.to.Objects)
		if err != nil {
			return fmt.Errorf("the target: %w", err)
		}
		if warning != "" {
			c.report.Warnings = append(c.report.Warnings, "the target: "+warning)
		}
	}
	if c.o.DryRun {
		return nil
	}
	raw := h.RawID
	if c.head.RawID != nil {
		raw = c.head.RawID
	} else if raw == nil {
		if raw, err = h.RestateID(); err != nil {
			return err
		}
	}
	return c.copyID(ctx, raw)
}

// copyID creates the target's archive.json. Before the first snapshot it also checks that the store gives the
// guarantees that archives rely on.
func (c *copyRun) copyID(ctx context.Context, raw []byte) error {
	made := false
	if c.head.RawID == nil {
		stored, err := c.to.PutBytes(ctx, manifest.ArchiveKey, raw)
		if errors.Is(err, store.ErrExists) {
			return repo.ErrRaced // the id that the other writer chose must be read
		}
		if err != nil {
			return fmt.Errorf("creating %s: %w", manifest.ArchiveKey, err)
		}
		made = !stored.Existed
	}
	c.to.RememberID(raw)
	c.rawID = raw
	if c.base.Sequence > 0 {
		return nil
	}
	return archiver.CheckGuarantees(ctx, c.to, raw, made)
}

// store sends the objects of a snapshot, and makes sure that all of them are locked as long as its manifest will be.
func (c *copyRun) store(ctx context.Context, s *repo.Snapshot, named map[string]struct{}, send []copyObject) error {
	var until time.Time
	locker, locks := c.to.Store.(store.RetentionStore)
	if locks {
		until, locks = locker.RenewLock()
	}
	if err := nested.CheckNested(ctx, c.to.Objects, func(yield func(string) bool) {
		for i := range send {
			if !yield(send[i].key) {
				return
			}
		}
	}); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if err := c.findExisting(ctx, send); err != nil {
		return err
	}
	if err := c.thawSource(ctx, send); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	adopted := c.report.Adopted
	if err := c.send(ctx, send); err != nil {
		return err
	}
	if !locks {
		return nil
	}
	own := c.report.Adopted > adopted
	if now, _ := locker.RenewLock(); !now.Equal(until) {
		own = true
	}
	return c.lock(ctx, locker, s, named, own)
}

// lock locks the objects that the manifest names until the time up to which the manifest itself will be locked
// (format.md, fine print). The lock of the target's newest manifest shows whether its objects are still locked. Objects
// that this run stored have the right lock, unless own: the run took longer than a step, or adopted another run's
// objects.
func (c *copyRun) lock(ctx context.Context, l store.RetentionStore, s *repo.Snapshot, named map[string]struct{}, own bool) error {
	old := true
	if c.base.Sequence > 0 {
		key := manifest.ManifestKey(c.base.Sequence)
		locked, err := l.Locked(ctx, key)
		if err != nil {
			return fmt.Errorf("reading the lock of %s: %w", key, err)
		}
		old = !locked
	}
	keys := map[string]struct{}{}
	if old {
		if c.head.RawID != nil {
			keys[manifest.ArchiveKey] = struct{}{}
		}
		if c.head.Record != nil {
			keys[manifest.LedgerKey(c.head.Ledger.Number)] = struct{}{}
		}
	}
	for key := range named {
		if _, kept := c.named[key]; kept && old || !kept && own {
			keys[key] = struct{}{}
		}
	}
	return objects.EachAtOnce(ctx, c.to.Transfers, objects.SortedKeys(keys), func(ctx context.Context, key string) error {
		if err := l.Lock(ctx, key); err != nil {
			return fmt.Errorf("locking %s for snapshot %d: %w", key, s.Ref.Sequence, err)
		}
		return nil
	})
}

// commit creates the manifest with the source's bytes, and checks that the target's ledger does not exclude it.
func (c *copyRun) commit(ctx context.Context, s *repo.Snapshot, raw []byte) error {
	n := s.Ref.Sequence
	key := manifest.ManifestKey(n)
	if err := c.to.Confirm(ctx, c.rawID); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if err := c.to.Create(ctx, "committing", key, raw); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	h := c.to.NewHead()
	if err := c.to.ReadLedger(ctx, h); err != nil {
		return err
	}
	if !h.Record.Valid(n, s.Ref.SHA256) {
		return fmt.Errorf("snapshot %d was invalid in the target when it was committed: %w", n, repo.ErrRaced)
	}
	c.to.Remember(s)
	c.to.SavePin(c.report.Archive, s.Ref, c.head.Anomalies)
	return nil
}

// skippedNumbers returns the number of a snapshot's parent if that parent was pruned from the source before it was
// copied. The target will never have it. Otherwise the number is zero.
func (c *copyRun) skippedNumbers(ctx context.Context, s *repo.Snapshot) (int64, error) {
	p := s.Manifest.Parent
	if p == nil || p.Sequence == c.base.Sequence {
		return 0, nil
	}
	if !c.ledger.Lacks(p.Sequence) { // one listing may have missed the newest record
		h, err := c.from.RereadLedger(ctx)
		if err != nil {
			return 0, err
		}
		c.ledger = h.Record
	}
	if !c.ledger.Lacks(p.Sequence) {
		return 0, c.loseManifest(ctx, s)
	}
	return p.Sequence, nil
}

// loseManifest skips a snapshot's parent if its manifest is missing from the source although no prune dropped it.
// The target will never have that parent, so the report lists it as a problem.
func (c *copyRun) loseManifest(ctx context.Context, s *repo.Snapshot) error {
	n := s.Manifest.Parent.Sequence
	if n < c.base.Sequence || c.skipped[n] {
		return nil
	}
	key := manifest.ManifestKey(n)
	_, err := c.from.Store.Stat(ctx, key)
	switch {
	case err == nil:
		return fmt.Errorf("the source's %s was not listed: %w", key, repo.ErrRaced)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading the attributes of %s in the source: %w", key, err)
	}
	h, err := c.from.RereadLedger(ctx)
	switch {
	case err != nil:
		return err
	case h.Record.Lacks(n):
		return fmt.Errorf("the source's snapshot %d was pruned just now: %w", n, repo.ErrRaced)
	}
	c.hasCompared[n] = true
	return c.skipSnapshot(n, &lostError{key, values.ProblemMissing, fmt.Errorf(
		"snapshot %d names it as its parent, and it is not in the source: %w", s.Ref.Sequence, values.ErrDamaged)})
}

// announce appends a record to the target's ledger if the target lacks a snapshot's parent, or has it with another
// hash. It runs before any object of that snapshot is stored. Either the parent was skipped (never), or the source's
// ledger confirms the target's hash. Without the record, a verify would report the parent as lost. The record drops
// nothing.
func (c *copyRun) announce(ctx context.Context, never int64) error {
	kept := map[int64]manifest.Hash{} // the hashes in the source's ledger take precedence
	if c.ledger != nil {
		for _, k := range c.ledger.Kept {
			kept[k.Sequence] = k.SHA256
		}
	}
	_, err := c.to.AppendRecord(ctx, repo.RecordOptions{Empty: true}, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		what := &repo.RecordPlan{Why: "copy", Skipped: never, Archive: c.report.Archive}
		for i := range s.Valid {
			m := &s.Valid[i]
			if sum, ok := kept[m.Kept.Sequence]; ok {
				m.Kept.SHA256, m.IsUnverifiable = sum, false
			}
			what.Kept = append(what.Kept, m.Kept)
		}
		return what, nil
	})
	if err != nil {
		return fmt.Errorf("recording the target's snapshots in its ledger: %w", err)
	}
	return nil
}

// sweep removes the data of interrupted uploads at the provider. It runs only if this copy or an interrupted one may
// have left any.
func (c *copyRun) sweep(ctx context.Context) {
	s, ok := c.to.Store.(store.Sweeper)
	if !ok || !c.sent.large && c.report.Adopted == 0 {
		return
	}
	if n, err := s.Sweep(ctx); err != nil {
		c.to.Log.Warn("interrupted uploads could not be removed; the next copy tries again", "error", err)
	} else if n > 0 {
		c.to.Log.Info("interrupted uploads were removed", "count", n)
	}
}
