package archive_test

import (
	"context"
	"errors"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A repair is suspended between its last read of a damaged object and its delete. Another repair restores the object
// in the meantime. The late delete must not remove it: the other has reported it repaired.
func TestRepairDeletesOnlyWhatItHasRead(t *testing.T) {
	t.Parallel()
	for what, prefix := range map[string]string{
		"data": manifest.DataPrefix, "a page": manifest.PagesPrefix, "a bundle": manifest.BundlesPrefix, "the newest manifest": manifest.ManifestKey(3),
		"an older manifest": manifest.ManifestKey(2), "archive.json": manifest.ArchiveKey,
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 3)
			h.keepLast(9)
			keys := h.store.Keys(prefix)
			if len(keys) == 0 {
				return // this database has none of them
			}
			good := h.store.Clone()
			h.store.Damage(keys[0], func(b []byte) []byte { return b[:len(b)/2] })
			s := &weak{InMemory: h.store}
			late := 0
			s.delete = func(ctx context.Context, objects []store.Object) error {
				if late++; late == 1 {
					if r := mustRepair(t, h.store, from(good)); len(r.Problems) > 0 {
						t.Fatalf("%s: %+v", what, r)
					}
				}
				err := h.store.Delete(ctx, objects)
				if late == 1 && !errors.Is(err, store.ErrChanged) {
					t.Errorf("%s: the late delete: %v", what, err)
				}
				return err
			}
			o := archive.VerifyOptions{ReadData: true, Repair: from(good)}
			if r, err := archive.New(s, archive.Options{}).Verify(t.Context(), o); err != nil || len(r.Problems) > 0 || late != 1 {
				t.Errorf("%s: %d deletes: %+v, %v", what, late, r, err)
			}
			for key := range good.Snapshot() {
				if string(h.store.Snapshot().Bytes(key)) != string(good.Snapshot().Bytes(key)) {
					t.Errorf("%s: %s is not what it was", what, key)
				}
			}
		})
	}
}

// An object is replaced by other damage again and again: the repair ends, and reports it.
func TestRepairGivesUpOnAnObjectThatChanges(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 2)
		good, key := h.store.Clone(), h.store.Keys(manifest.DataPrefix)[0]
		h.store.Damage(key, flipped)
		s := &weak{InMemory: h.store}
		s.delete = func(ctx context.Context, objects []store.Object) error {
			h.store.Replace(key, h.store.Snapshot().Bytes(key))
			return h.store.Delete(ctx, objects)
		}
		o := archive.VerifyOptions{ReadData: true, Repair: from(good)}
		r, err := archive.New(s, archive.Options{}).Verify(t.Context(), o)
		if err != nil || len(r.Problems) != 1 || r.Problems[0].RepairError == "" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// A prune deletes by key: the numbers decide what goes. Some file systems list other versions than a later request
// returns, and there a prune would never delete anything.
func TestPruneDeletesAnyVersion(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 5)
		s := &weak{InMemory: h.store}
		s.delete = func(ctx context.Context, objects []store.Object) error {
			for _, o := range objects {
				h.store.Replace(o.Key, h.store.Snapshot().Bytes(o.Key))
			}
			return h.store.Delete(ctx, objects)
		}
		o := archive.PruneOptions{Retention: &retention.Policy{Last: 2}}
		r, err := archive.New(s, archive.Options{}).Prune(t.Context(), o)
		if err != nil || r.Failed.All() != 0 || r.Deleted.Objects == 0 || r.Deleted.Manifests != 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		h.sound(4, 5)
	})
}
