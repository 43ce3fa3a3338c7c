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
	"github.com/strongroom-dev/strongroom/store/storetest"
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

// A manifest is gone before any ledger record has named it, and the next manifest still names it as
// its parent. A new record then does not make the missing one invalid: verify goes on reporting it,
// the objects that it needs stay, and a repair or an explicit drop remains possible.
func TestMissingManifestIsNotForgotten(t *testing.T) {
	t.Parallel()
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
				if what == "prune" && (!errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 4") || !strings.Contains(err.Error(), "forget snapshot")) || what == "hold" && err != nil {
					t.Fatalf("%s, ledger %v: %v", what, ledger, err)
				}
				h.unchanged(copied.Snapshot(), key)
				if r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key || r.Problems[0].Kind != archive.ProblemMissing {
					t.Fatalf("%s, ledger %v: verify reports %+v, %v", what, ledger, r, err)
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

// The newest manifest is gone and a backup went on without it. Nothing in the archive shows that it
// existed, but the local state of the host that made it does, and a prune on that host spares its
// objects.
func TestPruneSparesWhatThisHostHasSeen(t *testing.T) {
	t.Parallel()
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

// A snapshot that a copy passed over can be added to it once the archive is repaired, or be
// dropped. As long as it may be added, no prune deletes its objects.
func TestPassedOverIsAddedByRepair(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(*storetest.InMemory, string){
		"gone":    func(s *storetest.InMemory, key string) { s.Remove(key) },
		"damaged": func(s *storetest.InMemory, key string) { s.Damage(key, flipped) },
	} {
		for _, key := range []string{manifest.ManifestKey(2), onlyOf(newPruned(t, 4), 2)} {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 4)
				good := h.store.Clone()
				lose(h.store, key)
				to := &pruned{t: t, store: storetest.Memory(t), want: h.want}
				r, err := archive.Copy(t.Context(), h.archive(), to.archive(), archive.CopyOptions{})
				if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key || !slices.Equal(r.Snapshots, []int64{1, 3, 4}) {
					t.Fatalf("%s %s: %+v, %v", key, what, r, err)
				}
				if _, err := to.archive().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 9}}); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 2") {
					t.Fatalf("%s %s: %v", key, what, err)
				}
				forgotten := &pruned{t: t, store: to.store.Clone(), want: h.want}
				forgotten.prune(archive.PruneOptions{Forget: []int64{2}})
				forgotten.sound(1, 3, 4)
				h.store.Replace(key, good.Snapshot().Bytes(key))
				if r, err := to.archive().Verify(t.Context(), archive.VerifyOptions{Repair: from(h.store)}); err != nil || len(r.Problems) > 0 {
					t.Fatalf("%s %s: %+v, %v", key, what, r, err)
				}
				to.keepLast(9)
				to.sound(1, 2, 3, 4)
			})
		}
	}
}

// onlyOf is an object that only one snapshot names.
func onlyOf(h *pruned, n int64) string {
	h.t.Helper()
	times := map[string]int{}
	for _, s := range mustList(h.t, h.archive()) {
		m, err := h.archive().Snapshot(h.t.Context(), archive.Selector{Sequence: s.Sequence})
		if err != nil {
			h.t.Fatal(err)
		}
		for i := range m.Files {
			for _, p := range m.Files[i].Parts {
				if times[p.Object]++; s.Sequence != n {
					times[p.Object] += 1000
				}
			}
		}
	}
	for key, count := range times {
		if count < 1000 {
			return key
		}
	}
	h.t.Fatalf("there is nothing that only snapshot %d needs", n)
	return ""
}

// A manifest is gone, and the manifest that names it as its parent cannot be read. So the missing
// snapshot is unknown, and no record is written that would make it invalid.
func TestNoRecordOverWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(*storetest.InMemory, string){
		"both gone":           func(s *storetest.InMemory, key string) { s.Remove(key) },
		"gone and unreadable": func(s *storetest.InMemory, key string) { s.Replace(key, []byte("garbage")) },
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 4)
			copied := h.store.Clone()
			h.store.Remove(manifest.ManifestKey(2))
			lose(h.store, manifest.ManifestKey(3))
			before := h.store.Snapshot()
			for deed, err := range map[string]error{
				"prune": func() error { _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); return err }(),
				"hold":  func() error { _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 1}, ""); return err }(),
			} {
				if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 2") || !strings.Contains(err.Error(), "forget snapshot 3") {
					t.Errorf("%s, %s: %v", what, deed, err)
				}
			}
			if !h.store.Snapshot().Equal(before) {
				t.Errorf("%s: something was changed", what)
			}
			if r := mustRepair(t, h.store, from(copied)); len(r.Problems) > 0 {
				t.Fatalf("%s: %+v", what, r)
			}
			h.keepLast(9)
			h.sound(1, 2, 3, 4)
		})
	}
}
