package archive_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
)

// planted is an object that a vandal creates.
type planted struct {
	key, what string
	content   func(t *testing.T, h *pruned, key string) []byte // nil if the key cannot have it
}

// copied is a copy of the newest snapshot with this archive's id, under another number and with another parent.
func copied(n, parent int64) planted {
	return planted{manifest.ManifestKey(n), fmt.Sprintf("copied with parent %d", parent), func(t *testing.T, h *pruned, _ string) []byte {
		return copiedAs(t, h, n, parent)
	}}
}

// plantable returns all objects that make pairs.
func plantable() (all []planted) {
	// The last counts for nothing, until three more snapshots bring the others near it.
	for _, v := range append(slices.Clone(vandals), vandal{key: manifest.ManifestKey(5 + manifest.MaxAhead + 3)}) {
		for _, what := range []string{"empty", "{}", "garbage", "a later version", "another archive's"} {
			all = append(all, planted{v.key, what, vandalContents[what]})
		}
		if n, ok := manifest.ParseManifestKey(v.key); ok && n > 5 && n <= manifest.MaxCounted {
			for _, parent := range []int64{4, 5, n - 1} {
				all = append(all, copied(n, parent))
			}
		}
	}
	record := func(change func(*manifest.Record)) func(*testing.T, *pruned, string) []byte {
		return func(t *testing.T, h *pruned, _ string) []byte {
			r := nextRecord(t, h)
			change(r)
			b, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	usesUp := record(func(r *manifest.Record) { r.Removed = []int64{manifest.MaxCounted / 4} })
	excludes := func(count int64) func(*testing.T, *pruned, string) []byte {
		return record(func(r *manifest.Record) {
			for n := range count {
				r.Void = append(r.Void, 6+n)
			}
		})
	}
	return append(all, planted{manifest.LedgerKey(3), "a record that uses up numbers", usesUp},
		planted{manifest.LedgerKey(3), "a record that excludes the next", excludes(manifest.MaxAhead)},
		planted{manifest.LedgerKey(3), "a record that excludes more", excludes(manifest.MaxGap + 1)},
		copied(manifest.MaxCounted, 5), copied(manifest.MaxCounted, manifest.MaxCounted-1))
}

// Two objects that each count for nothing, or only stop a prune, must not stop more together: an unreadable record made
// every forged manifest count, and one with the last number then ended all backups.
func TestVandalPairs(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	broken := planted{manifest.LedgerKey(3), "{}", vandalContents["{}"]}
	for _, other := range []planted{
		copied(manifest.MaxCounted, 5), copied(manifest.MaxCounted, manifest.MaxCounted-1), copied(manifest.MaxCounted-1, 4),
		copied(400_000_000, 5), copied(6, 5),
		{manifest.ManifestKey(manifest.MaxCounted), "{}", vandalContents["{}"]},
		{manifest.LedgerKey(4), "{}", vandalContents["{}"]},
		{manifest.LedgerKey(4), "another archive's", vandalContents["another archive's"]},
		{manifest.ManifestKey(5 + manifest.MaxAhead), "garbage", vandalContents["garbage"]},
		{manifest.ManifestKey(5 + manifest.MaxAhead + 3), "garbage", vandalContents["garbage"]},
	} {
		t.Run(other.key+" "+other.what, func(t *testing.T) {
			t.Parallel()
			checkPair(t, broken, other)
		})
	}
}

// The same for pairs at random; a soak tries thousands.
func TestVandalPairsAtRandom(t *testing.T) {
	soaktest.SkipIfRacing(t)
	all := plantable()
	soaktest.Rounds(t, 5, 40, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		one, other := all[r.IntN(len(all))], all[r.IntN(len(all))]
		if one.key != other.key {
			t.Run(fmt.Sprintf("%s %s, %s %s", one.key, one.what, other.key, other.what), func(t *testing.T) {
				checkPair(t, one, other)
			})
		}
		soaktest.Count(t, "pairs", 1)
	})
}

func checkPair(t *testing.T, one, other planted) {
	virtually(t, func(t *testing.T) {
		h := vandalized(t)
		contents := map[string][]byte{}
		for _, p := range []planted{one, other} {
			if contents[p.key] = p.content(t, h, p.key); contents[p.key] == nil {
				return // the key cannot have this content
			}
		}
		for key, b := range contents {
			h.store.Replace(key, b)
		}
		checkWanted(t, h, "at first")
		backUpTwice(t, h)
		checkWanted(t, h, "after backups")
		if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); err != nil && !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("prune: %v", err)
		}
		checkWanted(t, h, "after a prune")
		_, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}})
		if err != nil && !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, manifest.ErrVersion) {
			t.Errorf("repair: %v", err)
		}
		checkWanted(t, h, "after a repair")
		backUpTwice(t, h)
		removeAndForget(t, h, contents)
		if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 4}, "kept"); err != nil {
			t.Errorf("hold: %v", err)
		}
		if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); err != nil {
			t.Errorf("prune: %v", err)
		}
		backUpTwice(t, h)
		checkWanted(t, h, "at the end")
	})
}

// removeAndForget does what an operator does in the end. The ledger may keep a forged manifest by then, or a later one
// name it as its parent.
func removeAndForget(t *testing.T, h *pruned, contents map[string][]byte) {
	t.Helper()
	for key := range contents {
		h.store.Remove(key)
	}
	var all []int64
	for _, key := range slices.Sorted(maps.Keys(contents)) {
		if n, ok := manifest.ParseManifestKey(key); ok {
			all = append(all, n)
		}
	}
	for _, n := range all { // a damaged ledger may have held it; most are not held, and a forged one is no snapshot
		_, _ = h.archive().Release(t.Context(), archive.Selector{Sequence: n})
	}
	for _, n := range append(slices.Clone(all), all...) { // alone, and again: one may stand in the way of the other
		_, err := h.archive().Prune(t.Context(), archive.PruneOptions{Forget: []int64{n}})
		if err != nil && !errors.Is(err, archive.ErrNoSnapshot) && !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("forgetting %d: %v", n, err)
		}
	}
	_, err := h.archive().Prune(t.Context(), archive.PruneOptions{Forget: all}) // and both at once
	if err != nil && !errors.Is(err, archive.ErrNoSnapshot) && !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("forgetting %d: %v", all, err)
	}
	for _, n := range all { // a forged parent that never existed; no true snapshot can be forgotten
		_, _ = h.archive().Prune(t.Context(), archive.PruneOptions{Forget: []int64{n - 1}})
	}
}

// checkWanted checks that every true snapshot is listed and can be restored.
func checkWanted(t *testing.T, h *pruned, when string) {
	t.Helper()
	listed := map[int64]bool{}
	for _, s := range mustList(t, h.archive()) {
		listed[s.Sequence] = s.Err == nil
	}
	for n, files := range h.want {
		if !listed[n] {
			t.Errorf("%s: snapshot %d is not listed", when, n)
			continue
		}
		mustRestore(t, h.archive(), n, filepath.Join(t.TempDir(), "r"), files)
	}
	if _, err := h.archive().Newest(t.Context()); err != nil {
		t.Errorf("%s: the newest: %v", when, err)
	}
}

func backUpTwice(t *testing.T, h *pruned) {
	t.Helper()
	for range 2 {
		h.db.grow(70)
		h.db.flip(30)
		res := mustBackup(t, h.archive(), h.db)
		if !res.Committed {
			t.Fatal("no snapshot")
		}
		h.want[res.Snapshot.Sequence] = maps.Clone(h.db.files)
	}
}
