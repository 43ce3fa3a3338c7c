package archive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
)

// The last number that counts is 1,000 above the greatest manifest that can be read.
func TestLastNumberThatCounts(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for _, v := range []vandal{
			{key: manifest.ManifestKey(5 + manifest.MaxAhead), window: true},
			{key: manifest.ManifestKey(5 + manifest.MaxAhead + 1), ignored: true},
		} {
			h := vandalized(t)
			h.store.Replace(v.key, []byte("{}"))
			v.readers(t, h)
			v.verify(t, h)
		}
	})
}

// A record that this archive's id, a right parent and an absurd number of a snapshot make look like the newest stops
// neither readers nor backups.
func TestVandalForgesARecord(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := vandalized(t)
		v := vandal{key: manifest.LedgerKey(3), stops: true, repairs: true}
		h.store.Replace(v.key, forged(t, h, v.key, newest0(t, h).Archive, manifest.MaxSequence))
		v.check(t, h, "forged")
	})
}

// While the ledger's next record cannot be read, one backup stores everything once more, and the later ones only what is
// new: this host remembers it, in memory and in its local state.
func TestStoredWholeOnce(t *testing.T) {
	t.Parallel()
	h := vandalized(t)
	h.store.Replace(manifest.LedgerKey(3), []byte("{}"))
	o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
	a := archive.New(h.store, o)
	for i := range 4 {
		h.db.grow(70)
		if i == 2 {
			a = archive.New(h.store, o) // another process
		}
		res := mustBackup(t, a, h.db)
		if all := res.Sent == len(h.db.files); all != (i == 0) {
			t.Errorf("backup %d sent %d of %d files", i+1, res.Sent, len(h.db.files))
		}
		mustRestore(t, a, res.Snapshot.Sequence, filepath.Join(t.TempDir(), "r"), h.db.files)
	}
}

// A manifest that counts for nothing does not begin to count once the others come near its number: the next record
// excludes it.
func TestVoidManifestStaysVoid(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := vandalized(t)
		far := int64(5 + manifest.MaxAhead + 1)
		h.store.Replace(manifest.ManifestKey(far), []byte("{}"))
		if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 4}, "kept"); err != nil {
			t.Fatal(err)
		}
		r, err := manifest.DecodeRecord(h.store.Snapshot().Bytes(manifest.LedgerKey(3)), 3)
		if err != nil || !slices.Equal(r.Void, []int64{far}) || r.Unknown {
			t.Fatalf("%+v, %v", r, err)
		}
		n := h.next() // the others are near it now
		if l := mustList(t, h.archive()); l[len(l)-1].Sequence != n {
			t.Errorf("the newest is %+v", l[len(l)-1])
		}
		h.keepLast(100)
		if h.store.Snapshot().Bytes(manifest.ManifestKey(far)) != nil {
			t.Error("a prune leaves it")
		}
		if r := h.record(); !slices.Equal(r.Void, []int64{far}) {
			t.Errorf("record %d forgets it: %v", r.Number, r.Void)
		}
		mustVerify(t, h.archive())
	})
}

// This host has seen snapshots far above those in the archive, as after a bucket was restored from an old copy. A
// record announces the gap before the next snapshot is made, so that the snapshot would count even if its manifest
// were damaged.
func TestFarSnapshotIsAnnounced(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 2)
		dir := t.TempDir()
		id := newest(t, h.archive()).Archive
		pin, _ := json.Marshal(map[string]any{
			"newest":       map[string]any{"sequence": 5000, "sha256": strings.Repeat("0", 63) + "1"},
			"archive_json": manifest.Sum(h.store.Snapshot().Bytes(manifest.ArchiveKey)).String(),
		})
		write(t, dir, id+".json", string(pin))
		h.db.grow(50)
		res := mustBackup(t, archive.New(h.store, archive.Options{State: &archive.LocalState{Dir: dir}}), h.db)
		if res.Snapshot.Sequence != 5001 {
			t.Fatalf("%+v", res.Snapshot)
		}
		if r := h.record(); !slices.Equal(r.Removed, []int64{5000}) || r.Newest != 2 {
			t.Fatalf("%+v", r)
		}
		h.want[5001] = maps.Clone(h.db.files)
		h.sound(1, 2, 5001)
		h.store.Damage(manifest.ManifestKey(5001), func([]byte) []byte { return []byte("{}") })
		if l := mustList(t, h.archive()); len(l) != 3 || l[2].Err == nil {
			t.Errorf("%+v", l)
		}
	})
}

// What lies under the keys of an archive before its first snapshot. Garbage in archive.json does not keep a database
// from being backed up; what may be another archive, or the rest of one, is refused, and the error names it.
func TestVandalAtAFreshPrefix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, content string
		refused      bool
	}{
		{manifest.ArchiveKey, "", false},
		{manifest.ArchiveKey, "{}", false},
		{manifest.ArchiveKey, strings.Repeat("x", 10_000), false},
		{manifest.ArchiveKey, `{"format":"strongroom/9","id":"00000000-0000-4000-8000-000000000000"}`, true},
		{manifest.LedgerKey(1), "{}", false},
		{manifest.LedgerKey(manifest.MaxSequence), "{}", false},
		{manifest.ManifestKey(manifest.MaxCounted), "{}", false},
		{manifest.ManifestKey(manifest.MaxSequence), "{}", false},
		{manifest.ProofsPrefix + "x", "x", false},
	} {
		t.Run(fmt.Sprintf("%s %.20q", tt.key, tt.content), func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 0)
				h.store.Replace(tt.key, []byte(tt.content))
				h.db.fill(3, 100)
				_, err := h.archive().Backup(t.Context(), h.db.source(), options)
				if tt.refused {
					if err == nil || !strings.Contains(err.Error(), manifest.ArchiveKey) {
						t.Fatalf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				h.want[1] = maps.Clone(h.db.files)
				n := h.next()
				for n, files := range h.want {
					mustRestore(t, h.archive(), n, filepath.Join(t.TempDir(), "r"), files)
				}
				mustRepair(t, h.store, &archive.RepairFrom{})
				h.keepLast(9)
				if l := mustList(t, h.archive()); len(l) != 2 || l[1].Sequence != n {
					t.Errorf("%+v", l)
				}
				mustVerify(t, h.archive())
			})
		})
	}
}

// A giant object is not read into memory, and stops nothing either.
func TestGiantVandal(t *testing.T) {
	t.Parallel()
	giant := bytes.Repeat([]byte("x"), manifest.MaxManifestBytes+1)
	for _, v := range []vandal{
		{key: manifest.LedgerKey(3), stops: true, repairs: true},
		{key: manifest.LedgerKey(4), ignored: true},
		{key: manifest.ManifestKey(5 + manifest.MaxGap + 3), ignored: true},
	} {
		virtually(t, func(t *testing.T) {
			h := vandalized(t)
			h.store.Replace(v.key, giant)
			v.verify(t, h)
			v.backup(t, h)
			if l := mustList(t, h.archive()); len(l) != 6 {
				t.Errorf("%+v", l)
			}
		})
	}
}

// checkWhole checks that a snapshot needs no object of an older one.
func checkWhole(t *testing.T, h *pruned, n int64) {
	t.Helper()
	m, err := h.archive().Snapshot(t.Context(), archive.Selector{Sequence: n})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		for _, p := range f.Parts {
			if k, _ := manifest.ParseObjectKey(p.Object); k.Sequence != n {
				t.Errorf("snapshot %d needs %s", n, p.Object)
			}
		}
	}
}

// copiedAs returns the newest of five snapshots under another number and with another parent.
func copiedAs(t *testing.T, h *pruned, n, parent int64) []byte {
	t.Helper()
	m := newest0(t, h)
	m.Sequence = n
	m.Parent.Sequence = parent
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A copy of the newest manifest under an absurd number has this archive's id, and can be read. It neither ends the
// numbers nor becomes the newest snapshot: no parent supports its number.
func TestVandalCopiesTheNewest(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, n := range []int64{5 + manifest.MaxGap + 3, 400_000_000, manifest.MaxCounted} {
		for _, parent := range []int64{4, 5, n - 1} {
			virtually(t, func(t *testing.T) {
				h := vandalized(t)
				v := vandal{key: manifest.ManifestKey(n), ignored: true}
				h.store.Replace(v.key, copiedAs(t, h, n, parent))
				v.check(t, h, "copied")
			})
		}
	}
}

// The same in an archive without a ledger.
func TestVandalCopiesTheNewestWithoutALedger(t *testing.T) {
	t.Parallel()
	for _, parent := range []int64{4, 5, manifest.MaxCounted - 1} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 5)
			h.store.Replace(manifest.ManifestKey(manifest.MaxCounted), copiedAs(t, h, manifest.MaxCounted, parent))
			if n := h.next(); n != 6 {
				t.Errorf("parent %d: the next snapshot is %d", parent, n)
			}
			h.keepLast(2)
			h.sound(5, 6)
		})
	}
}
