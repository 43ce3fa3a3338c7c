package archive_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// outrun is a store in which another writer commits first, once.
type outrun struct {
	store.Store
	rival func()
}

func (o *outrun) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if _, ok := manifest.ParseManifestKey(key); ok && o.rival != nil {
		rival := o.rival
		o.rival = nil
		rival()
	}
	return o.Store.Put(ctx, key, body, sums)
}

// Objects sent by a lost attempt are not counted with those of the last one.
func TestLostAttemptIsNotCounted(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 40)
		db.fill(3, 100)
		store := storetest.Memory(t)
		rival := archive.New(store, archive.Options{})
		o := options
		o.Tool = "another version" // else both manifests would be the same, byte for byte
		a := archive.New(&outrun{store, func() {
			if _, err := rival.Backup(context.Background(), db.source(), o); err != nil {
				t.Fatal(err)
			}
		}}, archive.Options{})
		res := mustBackup(t, a, db)
		if res.Committed || res.Snapshot.Sequence != 1 || res.Sent != 0 || res.SentBytes != 0 || res.Adopted != 0 {
			t.Fatalf("the rival stored all, and this run reports %+v", res)
		}
	})
}

// The local state's warnings are reported also when the source is refused.
func TestRefusedWithWarnings(t *testing.T) {
	t.Parallel()
	h, o := witnessed(t, 3)
	h.store.Remove(manifest.ManifestKey(3))
	for _, n := range append(h.db.closed(), name(h.db.last)) {
		h.db.remove(n)
	}
	res, err := archive.New(h.store, o).Backup(context.Background(), h.db.source(), options)
	if !errors.Is(err, archive.ErrEmptySource) || len(res.Warnings) != 1 {
		t.Fatalf("%v, warnings %q", err, res.Warnings)
	}
}

// The snapshot that a backup planned from is not read again by the next.
func TestParentIsReadOnce(t *testing.T) {
	t.Parallel()
	h, _ := witnessed(t, 300)
	a := archive.New(h.store, archive.Options{})
	mustBackup(t, a, h.db)
	pages := h.store.Keys(manifest.PagesPrefix)
	if len(pages) == 0 {
		t.Fatal("no pages to do without")
	}
	for _, key := range pages {
		h.store.Remove(key)
	}
	if res := mustBackup(t, a, h.db); res.Committed || len(res.Warnings) > 0 {
		t.Fatalf("it read the pages again: %+v", res.Warnings)
	}
}
