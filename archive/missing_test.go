package archive_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers/storetest"
)

// unchanged fails if anything of an earlier state is gone or other.
func (h *pruned) unchanged(before storetest.Content, but string) {
	h.t.Helper()
	now := h.store.Snapshot()
	for key := range before {
		if key != but && !bytes.Equal(now.Bytes(key), before.Bytes(key)) {
			h.t.Fatalf("%s is not what it was", key)
		}
	}
}

// A manifest is gone before any record of the ledger has named it, and the next one still
// tells that there was one. Whoever writes a record then makes it void for nobody: verify goes
// on naming it, what it needs stays, and it can be put back, or given up by name.
func TestMissingManifestIsNotForgotten(t *testing.T) {
	deeds := map[string]func(*pruned) error{
		"prune": func(h *pruned) error {
			_, err := h.archive().Prune(h.t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 2}})
			return err
		},
		"hold": func(h *pruned) error {
			_, err := h.archive().Hold(h.t.Context(), archive.Selector{Sequence: 1}, "kept")
			return err
		},
	}
	for what, do := range deeds {
		for _, ledger := range []bool{false, true} {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 2)
				if ledger {
					h.prune(archive.PruneOptions{})
				}
				for range 3 {
					h.next()
				}
				copied, key := h.store.Clone(), manifest.ManifestKey(4)
				h.store.Remove(key)
				err := do(h)
				if what == "prune" && (!errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 4") || !strings.Contains(err.Error(), "--forget")) || what == "hold" && err != nil {
					t.Fatalf("%s, ledger %v: %v", what, ledger, err)
				}
				h.unchanged(copied.Snapshot(), key)
				if r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key || r.Problems[0].What != "missing" {
					t.Fatalf("%s, ledger %v: verify says %+v, %v", what, ledger, r, err)
				}
				forgotten := &pruned{t: t, store: h.store.Clone(), want: h.want}
				if r := forgotten.prune(archive.PruneOptions{Forget: []int64{4}}); !slices.Equal(r.Removed, []int64{4}) {
					t.Fatalf("%+v", r)
				}
				if r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Repair: from(copied)}); err != nil || len(r.Problems) > 0 || len(r.Repaired) != 1 {
					t.Fatalf("%s, ledger %v: %+v, %v", what, ledger, r, err)
				}
				h.unchanged(copied.Snapshot(), "")
			})
		}
	}
}

// The newest manifest is gone and a backup went on without it: nothing in the archive tells of
// it any more, but the host whose backup made it does, and a prune of that host spares it.
func TestPruneSparesWhatThisHostHasSeen(t *testing.T) {
	virtually(t, func(t *testing.T) {
		h, o := witnessed(t, 3)
		p := &pruned{t: t, store: h.store, db: h.db}
		copied, key := h.store.Clone(), manifest.ManifestKey(3)
		h.store.Remove(key)
		h.db.flip(3)
		mustBackup(t, archive.New(h.store, o), h.db)
		mine := func() *archive.Archive { return archive.New(h.store, o) }
		if _, err := mine().Prune(t.Context(), archive.PruneOptions{}); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 3") {
			t.Fatal(err)
		}
		p.unchanged(copied.Snapshot(), key)
		if r, err := mine().Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from(copied)}); err != nil || len(r.Problems) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := mine().Prune(t.Context(), archive.PruneOptions{}); err != nil || r.Deleted.Manifests+r.Deleted.Objects > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		p.unchanged(copied.Snapshot(), "")
	})
}
