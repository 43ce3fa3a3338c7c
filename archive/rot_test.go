package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// from makes a copy the source of a repair.
func from(copied *storetest.InMemory) *archive.RepairFrom {
	return &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}}
}

// A bit flips somewhere in a manifest that is not in the ledger yet. Then the archive is held,
// pruned and backed up to, in any order. Prune deletes no object that the snapshot needs, and with
// the good bytes from a copy all is as it was.
func TestFlippedManifest(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	hold := func(h *pruned) {
		h.archive().Hold(h.t.Context(), archive.Selector{Sequence: 1}, "kept")
	}
	prune := func(h *pruned) { h.archive().Prune(h.t.Context(), archive.PruneOptions{}) }
	backup := func(h *pruned) {
		h.db.grow(50)
		h.archive().Backup(h.t.Context(), h.db.source(), options)
	}
	deeds := map[string]func(*pruned){ // each may be refused
		"hold": hold, "prune": prune, "backup": backup,
		"backup and prune":  func(h *pruned) { backup(h); prune(h) },
		"backup and hold":   func(h *pruned) { backup(h); hold(h) },
		"backups and prune": func(h *pruned) { backup(h); backup(h); prune(h) },
	}
	step := 101
	if brief() {
		step = 211
	}
	soaktest.Rounds(t, 1, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { flipManifests(t, deeds, step, int(seed%uint64(step))) })
	})
}

// flipManifests flips a bit of every step-th byte of three of five manifests.
func flipManifests(t *testing.T, deeds map[string]func(*pruned), step, first int) {
	for what, do := range deeds {
		for _, n := range []int64{1, 3, 5} {
			t.Run(what+" with "+manifest.ManifestKey(n), func(t *testing.T) {
				t.Parallel()
				key := manifest.ManifestKey(n)
				places := len(newPruned(t, 5).store.Snapshot().Bytes(key))
				for at := (first + len(what)) % step; at < places; at += step {
					virtually(t, func(t *testing.T) { flippedManifest(t, key, at, do) })
					if t.Failed() {
						t.Fatalf("with byte %d", at)
					}
				}
			})
		}
	}
}

func flippedManifest(t *testing.T, key string, at int, do func(*pruned)) {
	h := newPruned(t, 5)
	copied := h.store.Clone()
	good := h.store.Snapshot().Bytes(key)
	at = min(at, len(good)-1)
	bad := bytes.Clone(good)
	bad[at] ^= 1
	h.store.Replace(key, bad)
	do(h)
	for _, k := range copied.Keys("") {
		if k != key && !bytes.Equal(h.store.Snapshot().Bytes(k), copied.Snapshot().Bytes(k)) {
			t.Fatalf("%s, which was not touched, is not what it was", k)
		}
	}
	r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from(copied)})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(h.store.Snapshot().Bytes(key), good) && len(r.Problems) > 0 {
		t.Fatalf("the right bytes are back, and still: %+v", r.Problems)
	}
	if n, _ := manifest.ParseManifestKey(key); n < 5 && !bytes.Equal(h.store.Snapshot().Bytes(key), good) {
		t.Fatalf("it was not repaired: %+v", r.Problems)
	}
}

// A repair is killed after it has restored a manifest whose child had recorded it as damaged, and
// before it has corrected the ledger. The next repair corrects the ledger.
func TestRepairTellsTheLedgerLater(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		copied := h.store.Clone()
		key := manifest.ManifestKey(3)
		h.store.Damage(key, func(b []byte) []byte { return b[:len(b)-20] })
		h.next()
		h.store.Replace(key, copied.Snapshot().Bytes(key))
		for what, err := range map[string]error{
			"prune": func() error { _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); return err }(),
			"hold":  func() error { _, err := h.archive().Hold(t.Context(), archive.Selector{}, ""); return err }(),
		} {
			if !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := len(h.store.Keys(manifest.LedgerPrefix)); n > 0 {
			t.Errorf("%d records were written", n)
		}
		r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Repair: from(copied)})
		if err != nil || len(r.Problems) > 0 || len(r.Repaired) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		h.keepLast(4)
		h.sound(1, 2, 3, 4)
	})
}

// After a rollback an archive went on elsewhere, so a host has another manifest under a number in
// its local state. That makes no good manifest invalid.
func TestVouchingByAStaleWitness(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 2)
	before := h.store.Clone()
	witness := &archive.LocalState{Dir: t.TempDir()}
	h.db.grow(10)
	mustBackup(t, archive.New(h.store, archive.Options{State: witness}), h.db)
	h.store = before // rolled back, and another host goes on
	h.next()
	_, err := archive.New(h.store, archive.Options{State: witness}).Prune(t.Context(), archive.PruneOptions{})
	if err == nil {
		t.Error("no problem was reported")
	}
	h.keepLast(3) // a host without that local state prunes
	h.sound(1, 2, 3)
}

// The newest manifest rots and a backup goes on from it. The backup recorded the hash of the
// damaged manifest; a repair restores it all the same and corrects the ledger.
func TestRepairOfWhatWasNamedDamaged(t *testing.T) {
	t.Parallel()
	for _, prune := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 3)
			copied := h.store.Clone()
			h.store.Damage(manifest.ManifestKey(3), func(b []byte) []byte { return b[:len(b)-20] })
			h.next()
			if prune {
				if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); err == nil {
					t.Fatal("what cannot be read stops no prune")
				}
			}
			r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from(copied)})
			if err != nil || len(r.Problems) > 0 || len(r.Repaired) == 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			h.keepLast(4)
			h.sound(1, 2, 3, 4)
			to := storetest.Memory(t)
			mustCopy(t, h.store, to)
			mustVerify(t, archive.New(to, archive.Options{}))
		})
	}
}

// An object is as it was stored, and a manifest has another hash for it. Nothing is deleted, and it
// is not reported as repaired.
func TestRepairLeavesWhatIsRight(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		store := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 3)
		db.fill(30, 40)
		mustBackup(t, archive.New(store, archive.Options{}), db)
		m := newest(t, archive.New(store, archive.Options{}))
		f := &m.Files[2]
		if !strings.HasPrefix(f.Parts[0].Object, manifest.BundlesPrefix) {
			t.Fatalf("%s is in no bundle", f.Name)
		}
		f.SHA256[0] ^= 1
		f.Parts[0].SHA256 = f.SHA256
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		store.Replace(manifest.ManifestKey(1), b)
		copied := store.Clone()
		a := archive.New(store, archive.Options{})
		for range 2 {
			r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Proof: true, Repair: from(copied)})
			if err != nil || len(r.Problems) != 1 || len(r.Repaired) > 0 || !strings.Contains(r.Problems[0].RepairError, "entries for it are wrong") {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		r, err := a.Verify(t.Context(), archive.VerifyOptions{Proof: true})
		if err != nil || len(r.Problems) != 1 || r.Coverage.Read >= r.Coverage.Objects {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// A kept snapshot names a missing object. Nothing is deleted that could be that object.
func TestPruneSparesWhatMayBeMeant(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 6)
		var only string // what only the newest snapshot needs
		for _, f := range newest(t, h.archive()).Files {
			if strings.HasSuffix(f.Parts[0].Object, "-000000006") {
				only = f.Parts[0].Object
			}
		}
		key := manifest.ManifestKey(6)
		h.store.Replace(key, bytes.ReplaceAll(h.store.Snapshot().Bytes(key), []byte(only), []byte(strings.TrimSuffix(only, "6")+"4")))
		r := h.keepLast(2)
		if r.Missing != 1 || r.Deleted.Objects == 0 || !slices.Contains(keys(h.store), only) {
			t.Fatalf("%+v", r)
		}
	})
}

// A store returns other bytes than it stored, again and again: a repair restores the object once,
// and reports it.
func TestRepairEnds(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		copied := h.store.Clone()
		key := manifest.ManifestKey(2)
		puts := 0
		s := &weak{InMemory: h.store}
		s.get = func(ctx context.Context, k string, offset, length int64) (io.ReadCloser, error) {
			if k == key {
				return io.NopCloser(bytes.NewReader(flipped(copied.Snapshot().Bytes(k)))), nil
			}
			return h.store.Get(ctx, k, offset, length)
		}
		s.put = func(ctx context.Context, k string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			if puts++; puts > 10 {
				t.Fatal("it does not end")
			}
			return h.store.Put(ctx, k, body, sums)
		}
		r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Repair: from(copied)})
		if err != nil || len(r.Problems) == 0 || puts != 1 || !strings.Contains(r.Problems[0].RepairError, "is still wrong") {
			t.Fatalf("%d puts, %+v, %v", puts, r, err)
		}
	})
}

// This host's local state of the newest manifest helps to restore it when it is damaged or gone,
// whether backups went on or not. Then the manifest is no longer reported as missing.
func TestRepairByTheWitness(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(*storetest.InMemory, string){
		"gone":    func(s *storetest.InMemory, key string) { s.Remove(key) },
		"garbage": func(s *storetest.InMemory, key string) { s.Replace(key, []byte("garbage")) },
	} {
		for _, goOn := range []bool{false, true} {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 2)
				o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
				h.db.grow(10)
				mustBackup(t, archive.New(h.store, o), h.db)
				h.want[3] = maps.Clone(h.db.files)
				copied := h.store.Clone()
				key := manifest.ManifestKey(3)
				lose(h.store, key)
				if goOn {
					h.db.grow(10)
					mustBackup(t, archive.New(h.store, o), h.db)
				}
				other := h.store.Clone() // of another history: it has another 3
				spoil(other, key, copied.Snapshot().Bytes(manifest.ManifestKey(2)))
				r, err := archive.New(h.store, o).Verify(t.Context(), archive.VerifyOptions{Repair: from(other)})
				if err != nil || len(r.Problems) == 0 || len(r.Repaired) > 0 {
					t.Fatalf("%s, %v: from what is another: %+v, %v", what, goOn, r, err)
				}
				for i := range 2 {
					r, err := archive.New(h.store, o).Verify(t.Context(), archive.VerifyOptions{Repair: from(copied)})
					if err != nil || len(r.Problems) > 0 || (len(r.Repaired) > 0) != (i == 0) {
						t.Fatalf("%s, %v, run %d: %+v, %v", what, goOn, i, r, err)
					}
				}
				if !bytes.Equal(h.store.Snapshot().Bytes(key), copied.Snapshot().Bytes(key)) {
					t.Errorf("%s, %v: it is not what it was", what, goOn)
				}
			})
		}
	}
}

// An archive was rolled back and went on elsewhere. A host with the other history in its local
// state reports that, and no repair from a copy of that history touches a right object.
func TestRepairFromAnotherHistory(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 2)
		o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
		rolledBack := h.store.Clone()
		h.db.grow(10)
		mustBackup(t, archive.New(h.store, o), h.db)
		copied := h.store.Clone()
		h.store = rolledBack
		h.next()
		for range 2 {
			before := h.store.Clone()
			r, err := archive.New(h.store, o).Verify(t.Context(), archive.VerifyOptions{Repair: from(copied)})
			if err != nil || len(r.Problems) == 0 || len(r.Repaired) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if !slices.Equal(h.store.Keys(""), before.Keys("")) || !bytes.Equal(h.store.Snapshot().Bytes(manifest.ManifestKey(3)), before.Snapshot().Bytes(manifest.ManifestKey(3))) {
				t.Fatal("it has changed")
			}
			h.db.grow(10)
			mustBackup(t, archive.New(h.store, o), h.db) // which notes what was missed
		}
	})
}
