package archiver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// renewLock sets the time until which new objects are locked. It is called before anything is stored.
func (r *backupRun) renewLock() {
	if l, ok := r.repo.Store.(store.RetentionStore); ok {
		r.lockedUntil, _ = l.RenewLock()
	}
}

// lockReused locks the objects that a manifest names until the time up to which the manifest itself will be locked
// (format.md, fine print). A manifest's lock covers all objects that it names, so the parent's lock shows whether the
// objects reused from it must be locked again. Objects that this run stored have the right lock already, unless the run
// took longer than a step, or the snapshot names another run's objects.
func (r *backupRun) lockReused(ctx context.Context, m *manifest.Manifest, pages []manifest.Page) error {
	l, ok := r.repo.Store.(store.RetentionStore)
	if !ok {
		return nil
	}
	until, locks := l.RenewLock()
	if !locks {
		return nil
	}
	own := !until.Equal(r.lockedUntil) || r.checkOtherSnapshots()
	old := r.src.Head.ID != nil // left by a run that made no snapshot
	if r.src.Head.Base != nil {
		key := manifest.ManifestKey(r.src.Head.Base.Ref.Sequence)
		locked, err := l.Locked(ctx, key)
		if err != nil {
			return fmt.Errorf("reading the lock of %s: %w", key, err)
		}
		old = !locked
	}
	keys := r.toLock(m, pages, own, old)
	if len(keys) > 0 {
		r.repo.Log.Info("locking the objects that the snapshot needs", "objects", len(keys), "until", until)
	}
	return objects.EachAtOnce(ctx, r.repo.Transfers, keys, func(ctx context.Context, key string) error {
		if err := l.Lock(ctx, key); err != nil {
			return fmt.Errorf("locking %s: %w", key, err)
		}
		return nil
	})
}

// toLock returns the objects that the manifest needs: those of this run with own, and those of earlier runs with old.
func (r *backupRun) toLock(m *manifest.Manifest, pages []manifest.Page, own, old bool) []string {
	if !own && !old {
		return nil
	}
	keys := map[string]bool{}
	if r.src.Head.ID != nil || r.src.Head.Base == nil { // else it is missing
		keys[manifest.ArchiveKey] = true
	}
	if r.src.Head.Record != nil {
		keys[manifest.LedgerKey(r.src.Head.Ledger.Number)] = true
	}
	add := func(key string) {
		if k, ok := manifest.ParseObjectKey(key); ok && ((own && k.Sequence == r.next) || (old && k.Sequence != r.next)) {
			keys[key] = true
		}
	}
	for i := range m.Files {
		for _, p := range m.Files[i].Parts {
			add(p.Object)
		}
	}
	for i := range pages {
		add(pages[i].Ref.Object)
	}
	return slices.Sorted(maps.Keys(keys))
}
