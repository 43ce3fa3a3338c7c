package archive_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A vandal is an attacker who creates one object, under any key and with any content.
type vandal struct {
	key     string
	later   bool // it is of a later version, which alone may copy it
	stops   bool // prune and hold refuse until a repair
	repairs bool // a repair without any source ends that, and the snapshots stay
	window  bool // it has a number that the next snapshot could have, so it counts as one that cannot be read
	nears   bool // it becomes one that stops once a record is written
	ignored bool // it counts for nothing, and a backup and a verify name it
}

// vandalized is an archive with snapshots 2 to 5, record 2 in force, and record 1 before it.
func vandalized(t *testing.T) *pruned {
	h := newPruned(t, 4)
	h.keepLast(3)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 3}, "the auditors"); err != nil {
		t.Fatal(err)
	}
	h.next()
	delete(h.want, 1)
	return h
}

var vandals = []vandal{
	{key: manifest.LedgerKey(3), stops: true, repairs: true},
	{key: manifest.LedgerKey(4), ignored: true, nears: true},
	{key: manifest.LedgerKey(500), ignored: true},
	{key: manifest.LedgerKey(manifest.MaxSequence - 1), ignored: true},
	{key: manifest.LedgerKey(manifest.MaxSequence), ignored: true},
	{key: manifest.ManifestKey(1)}, // a number that a prune has dropped
	{key: manifest.ManifestKey(6), window: true},
	{key: manifest.ManifestKey(5 + manifest.MaxAhead), window: true},
	{key: manifest.ManifestKey(5 + manifest.MaxGap + 3), ignored: true}, // still, after two more snapshots
	{key: manifest.ManifestKey(400_000_000), ignored: true},
	{key: manifest.ManifestKey(manifest.MaxSequence), ignored: true},
	{key: manifest.ProofsPrefix + "20991231T235959Z-verify-0123456789abcdef.json"},
	{key: manifest.ProofsPrefix + "zzz"},
	{key: "probe/0123456789abcdef/1"},
	{key: manifest.DataPrefix + name(1) + "/" + strings.Repeat("0", 64) + "-000000006"},
	{key: manifest.BundlesPrefix + strings.Repeat("0", 64) + "-000000006"},
	{key: manifest.PagesPrefix + strings.Repeat("0", 64) + "-000000006.jsonl.zst"},
	{key: manifest.DataPrefix + "archive.json"},
	{key: "orders/archive.json"},
	{key: "holds/000/000/001.json"},
	{key: "ledger/archive.json/000.json"},
	{key: "manifests/000/000/x.json"},
}

// vandalContents are what a vandal writes: name by content. A nil content means that the key cannot have it.
var vandalContents = map[string]func(t *testing.T, h *pruned, key string) []byte{
	"empty":   func(*testing.T, *pruned, string) []byte { return []byte{} },
	"{}":      func(*testing.T, *pruned, string) []byte { return []byte("{}") },
	"garbage": func(_ *testing.T, h *pruned, _ string) []byte { return h.db.noise(5000) },
	"a later version": func(*testing.T, *pruned, string) []byte {
		return []byte(`{"format":"strongroom/9","archive":"00000000-0000-4000-8000-000000000000"}`)
	},
	"another archive's": func(t *testing.T, h *pruned, key string) []byte {
		return forged(t, h, key, "00000000-0000-4000-8000-000000000000", 0)
	},
}

// forged returns a valid record or manifest for a key; nil if the key is of neither.
func forged(t *testing.T, h *pruned, key, id string, newest int64) []byte {
	t.Helper()
	m := newest0(t, h)
	if n, ok := manifest.ParseLedgerKey(key); ok {
		if newest == 0 {
			newest = m.Sequence
		}
		r := manifest.Record{
			Format: manifest.Format, Archive: id, Number: n, Created: m.Created, Why: "prune", Newest: newest,
			Kept: []manifest.Kept{{Ref: manifest.Ref{Sequence: newest, SHA256: manifest.Sum([]byte("x"))}}},
		}
		if n > 1 {
			r.Parent = &manifest.RecordRef{Number: n - 1, SHA256: manifest.Sum([]byte("y"))}
		}
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if n, ok := manifest.ParseManifestKey(key); ok {
		m.Archive, m.Sequence, m.Parent = id, n, nil
		b, err := m.Encode()
		if err != nil { // its files are of later snapshots
			return nil
		}
		return b
	}
	return nil
}

// newest0 returns the newest snapshot of an archive as it was before the vandal came.
func newest0(t *testing.T, h *pruned) *manifest.Manifest {
	t.Helper()
	m, err := manifest.DecodeManifest(h.store.Snapshot().Bytes(manifest.ManifestKey(5)), 5)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// One object that an attacker creates stops nothing: every snapshot is listed, restored and copied as before, and
// backups go on. Where the object may be a true one that was damaged, prune and hold refuse, name it, and remove
// nothing; a repair ends that.
func TestVandal(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, v := range vandals {
		for what, content := range vandalContents {
			t.Run(v.key+" "+what, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(t *testing.T) {
					h := vandalized(t)
					b := content(t, h, v.key)
					if b == nil {
						t.Skip("the key cannot have this content")
					}
					h.store.Replace(v.key, b)
					v.check(t, h, what)
				})
			})
		}
	}
}

func (v vandal) check(t *testing.T, h *pruned, what string) {
	t.Helper()
	later := what == "a later version"
	v.later = later && v.window
	v.readers(t, h)
	v.verify(t, h)
	hold := func() error {
		_, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 4}, "kept")
		return err
	}
	prune := func() error {
		_, err := h.archive().Prune(t.Context(), archive.PruneOptions{})
		return err
	}
	if v.stops {
		for what, do := range map[string]func() error{"hold": hold, "prune": prune} {
			before := h.store.Snapshot()
			if err := do(); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), v.key) {
				t.Errorf("%s: %v", what, err)
			}
			if !h.store.Snapshot().Equal(before) {
				t.Errorf("%s has changed the archive", what)
			}
		}
	}
	v.backup(t, h)
	v.readers(t, h)
	if v.stops && v.repairs && !later {
		if r := mustRepair(t, h.store, &archive.RepairFrom{}); len(r.Repaired) != 1 || r.Repaired[0].Object != v.key || len(r.Problems) > 0 {
			t.Errorf("repair: %+v, %+v", r.Repaired, r.Problems)
		}
	}
	if v.stops && later { // a newer program may have written it, so no repair replaces it
		before := h.store.Snapshot()
		if _, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}}); !errors.Is(err, manifest.ErrVersion) {
			t.Errorf("repair: %v", err)
		}
		if !h.store.Snapshot().Equal(before) {
			t.Error("the repair has changed the archive")
		}
		return
	}
	if v.window { // an unreadable snapshot, as before
		n, _ := manifest.ParseManifestKey(v.key)
		if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{Forget: []int64{n}}); err != nil {
			t.Errorf("forgetting it: %v", err)
		}
	}
	if err := hold(); err != nil {
		t.Errorf("at the end: %v", err)
	}
	if v.nears {
		if err := prune(); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), v.key) {
			t.Errorf("at the end: %v", err)
		}
		if later {
			return
		}
		mustRepair(t, h.store, &archive.RepairFrom{})
	}
	v.later = false
	if err := prune(); err != nil {
		t.Errorf("at the end: %v", err)
	}
	v.readers(t, h)
	if strings.HasPrefix(v.key, manifest.ManifestsPrefix) && v.ignored && h.store.Snapshot().Bytes(v.key) != nil {
		t.Errorf("a prune leaves %s", v.key)
	}
}

// readers checks everything that reads snapshots.
func (v *vandal) readers(t *testing.T, h *pruned) {
	t.Helper()
	a := h.archive()
	var have []int64
	for _, s := range mustList(t, a) {
		if s.Err == nil {
			have = append(have, s.Sequence)
		} else if !v.window {
			t.Errorf("list shows %d: %v", s.Sequence, s.Err)
		}
	}
	all := slices.Sorted(maps.Keys(h.want))
	if !slices.Equal(have, all) {
		t.Errorf("snapshots %d, want %d", have, all)
	}
	for _, n := range all {
		mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), h.want[n])
	}
	if m, err := a.Snapshot(t.Context(), archive.Selector{}); !v.window && (err != nil || m.Sequence != all[len(all)-1]) {
		t.Errorf("the newest is %+v, %v", m, err)
	}
	if m, err := a.Newest(t.Context()); err != nil || m.Sequence != all[len(all)-1] {
		t.Errorf("the newest readable one is %+v, %v", m, err)
	}
	to := storetest.Memory(t)
	_, err := archive.Copy(t.Context(), a, archive.New(to, archive.Options{}), archive.CopyOptions{})
	if v.later {
		if !errors.Is(err, manifest.ErrVersion) {
			t.Errorf("copy: %v", err)
		}
		return
	}
	if err != nil {
		t.Errorf("copy: %v", err)
	}
	if l := mustList(t, archive.New(to, archive.Options{})); len(l) != len(all) {
		t.Errorf("the copy has %d snapshots, want %d", len(l), len(all))
	}
}

// verify checks that a verify names the object, or reports nothing.
func (v *vandal) verify(t *testing.T, h *pruned) {
	t.Helper()
	r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{ReadData: true})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, p := range r.Problems {
		if p.Object != v.key {
			t.Errorf("verify: %+v", p)
		}
	}
	if found := len(r.Problems) > 0; found != (v.stops || v.window) {
		t.Errorf("verify reports %+v", r.Problems)
	}
	if slices.Contains(r.Ignored, v.key) != v.ignored {
		t.Errorf("verify counts for nothing: %q", r.Ignored)
	}
}

// backup makes a snapshot, and one more.
func (v *vandal) backup(t *testing.T, h *pruned) {
	t.Helper()
	for i := range 2 {
		h.db.grow(70)
		h.db.flip(30)
		res := mustBackup(t, h.archive(), h.db)
		if !res.Committed {
			t.Fatal("no snapshot")
		}
		n := res.Snapshot.Sequence
		h.want[n] = maps.Clone(h.db.files)
		if named := slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, v.key) }); !named && (v.ignored || v.stops) {
			t.Errorf("backup %d does not name the object: %q", i+1, res.Warnings)
		}
		if v.stops {
			checkWhole(t, h, n)
		}
	}
}
