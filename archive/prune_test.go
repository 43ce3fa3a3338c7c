package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A pruned is an archive with snapshots of a database, and the original files of each.
type pruned struct {
	t     testing.TB
	store *storetest.InMemory
	db    *database
	want  map[int64]map[string][]byte
}

func newPruned(t testing.TB, snapshots int) *pruned {
	h := &pruned{t: t, store: storetest.Memory(t), db: newDatabase(t, t.TempDir(), 7), want: map[int64]map[string][]byte{}}
	for range snapshots {
		h.next()
	}
	return h
}

func (h *pruned) archive() *archive.Archive { return archive.New(h.store, archive.Options{}) }

// next changes the database in every way and makes a snapshot.
func (h *pruned) next() int64 {
	h.t.Helper()
	h.db.grow(50)
	h.db.flip(20)
	if c := h.db.closed(); len(c) > 4 {
		h.db.remove(c[0]) // as a cleaner does
	}
	n := mustBackup(h.t, h.archive(), h.db).Snapshot.Sequence
	h.want[n] = maps.Clone(h.db.files)
	return n
}

func (h *pruned) prune(o archive.PruneOptions) *archive.PruneReport {
	h.t.Helper()
	r, err := h.archive().Prune(context.Background(), o)
	if err != nil {
		h.t.Fatalf("prune: %v", err)
	}
	return r
}

func (h *pruned) keepLast(n int) *archive.PruneReport {
	h.t.Helper()
	return h.prune(archive.PruneOptions{Retention: &retention.Policy{Last: n}})
}

// sound checks that exactly these snapshots exist, that each restores its files, and that no other
// object exists.
func (h *pruned) sound(snapshots ...int64) {
	h.t.Helper()
	a := h.archive()
	var have []int64
	for _, s := range mustList(h.t, a) {
		have = append(have, s.Sequence)
	}
	if !slices.Equal(have, snapshots) {
		h.t.Fatalf("snapshots %d, expected %d", have, snapshots)
	}
	for _, n := range snapshots {
		mustRestore(h.t, a, n, filepath.Join(h.t.TempDir(), "r"), h.want[n])
	}
	r := mustVerify(h.t, a)
	if r.Snapshots != len(snapshots) || r.Unreferenced != 0 {
		h.t.Fatalf("%+v", r)
	}
}

func keys(s *storetest.InMemory) []string { return s.Keys("") }

// Only what no kept snapshot needs is removed, and a second prune finds nothing to do.
func TestPrune(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 8)
	r := h.keepLast(3)
	if !slices.Equal(r.Removed, []int64{1, 2, 3, 4, 5}) || r.Record != 1 || r.Newest != 8 || r.Deleted.Manifests != 5 || r.Deleted.Objects == 0 || r.Deleted.Bytes == 0 || r.Failed.All() != 0 {
		t.Fatalf("%+v", r)
	}
	h.sound(6, 7, 8)
	before := keys(h.store)
	if r := h.keepLast(3); len(r.Removed) != 0 || r.Deleted.All() != 0 || r.Record != 1 {
		t.Fatalf("again: %+v", r)
	}
	if !slices.Equal(before, keys(h.store)) {
		t.Fatal("a prune with nothing to do wrote something")
	}
	h.next()
	h.sound(6, 7, 8, 9)
	if r := h.keepLast(1); !slices.Equal(r.Removed, []int64{6, 7, 8}) || r.Record != 2 || r.Deleted.Records != 1 {
		t.Fatalf("%+v", r)
	}
	h.sound(9)
}

// A dry run reports what would be deleted, object by object, and changes nothing.
func TestPruneDryRun(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 6)
	before := keys(h.store)
	var would, did []archive.Pruned
	o := archive.PruneOptions{Retention: &retention.Policy{Last: 2}, DryRun: true, Object: func(p archive.Pruned) { would = append(would, p) }}
	dry := h.prune(o)
	if !slices.Equal(before, keys(h.store)) || dry.Record != 0 {
		t.Fatal("a dry run wrote something")
	}
	o.DryRun, o.Object = false, func(p archive.Pruned) { did = append(did, p) }
	r := h.prune(o)
	if !slices.Equal(would, did) || r.Deleted != dry.Deleted || !slices.Equal(r.Removed, dry.Removed) || len(would) != r.Deleted.All() {
		t.Fatalf("it announced %+v, %v and did %+v, %v", dry, would, r, did)
	}
	var bytes int64
	for _, p := range did {
		bytes += p.Size
		if p.Why == "" || slices.Contains(keys(h.store), p.Key) {
			t.Fatalf("%+v", p)
		}
	}
	if bytes != r.Deleted.Bytes {
		t.Fatalf("%d bytes, %+v", bytes, r)
	}
	for i, v := range r.Verdicts {
		if v.Keep != (i >= 4) || v.Keep != (len(v.Why) > 0) {
			t.Fatalf("%+v", v)
		}
	}
}

// A held snapshot stays through every prune, until it is released.
func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 5)
	a := h.archive()
	if n, err := a.Hold(t.Context(), archive.Selector{Sequence: 2}, "the auditors"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := a.Hold(t.Context(), archive.Selector{}, ""); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	held := map[int64]string{2: "the auditors", 5: archive.DefaultWhy}
	for _, s := range mustList(t, a) {
		if s.Held != held[s.Sequence] {
			t.Fatalf("snapshot %d is held by %q", s.Sequence, s.Held)
		}
	}
	h.next()
	h.keepLast(1)
	h.sound(2, 5, 6)
	records := len(keys(h.store))
	if _, err := a.Hold(t.Context(), archive.Selector{Sequence: 2}, ""); err != nil || len(keys(h.store)) != records {
		t.Fatal("holding again what is held wrote a record", err)
	}
	if n, err := a.Release(t.Context(), archive.Selector{Sequence: 2}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	h.sound(2, 5, 6) // until the next prune
	h.keepLast(1)
	h.sound(5, 6)
	for _, n := range []int64{2, 4, 77} {
		if _, err := a.Hold(t.Context(), archive.Selector{Sequence: n}, "late"); !errors.Is(err, archive.ErrNoSnapshot) {
			t.Fatalf("holding %d: %v", n, err)
		}
	}
	if _, err := archive.New(storetest.Memory(t), archive.Options{}).Hold(t.Context(), archive.Selector{}, ""); !errors.Is(err, archive.ErrNoArchive) {
		t.Fatal(err)
	}
}

// flipped is content with one bit turned.
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// One kept manifest that cannot be read stops all deletion. Dropped explicitly, it is deleted.
func TestPruneStopsAtUnreadable(t *testing.T) {
	t.Parallel()
	for _, damage := range map[string]func(*pruned, string){
		"damaged": func(h *pruned, key string) { h.store.Damage(key, flipped) },
		"missing": func(h *pruned, key string) { h.store.Remove(key) },
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 6)
			h.keepLast(4) // the ledger lists 3 to 6
			damage(h, manifest.ManifestKey(4))
			before := keys(h.store)
			r, err := h.archive().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
			if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "snapshot 4") || !strings.Contains(err.Error(), "forget snapshot") {
				t.Fatal(err)
			}
			if r.Deleted.All() > 0 {
				t.Fatalf("%+v", r)
			}
			if gone := slices.DeleteFunc(before, func(k string) bool { return slices.Contains(keys(h.store), k) }); len(gone) > 0 {
				t.Fatalf("it deleted %v", gone)
			}
			h.prune(archive.PruneOptions{Retention: &retention.Policy{Last: 1}, Forget: []int64{4}})
			h.sound(6)
		})
	}
}

// A drop that is not allowed is refused, and nothing is changed.
func TestForgetRefused(t *testing.T) { virtually(t, forgetRefused) }

func forgetRefused(t *testing.T) {
	h := newPruned(t, 5)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 2}, "the auditors"); err != nil {
		t.Fatal(err)
	}
	h.store.Damage(manifest.ManifestKey(2), flipped)
	h.store.Damage(manifest.ManifestKey(5), flipped)
	before := keys(h.store)
	for n, want := range map[int64]string{2: "is held (the auditors)", 3: "is readable", 5: "is the newest", 9: "no such snapshot"} {
		if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{Forget: []int64{n}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("forgetting %d: %v", n, err)
		}
	}
	if !slices.Equal(before, keys(h.store)) {
		t.Fatal("it changed something")
	}
}

// Manifests with fields of a later version may need more than can be seen.
func TestPruneStopsAtUnknownFields(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func([]byte) []byte{
		"of the manifest": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"files":`, `"more":["x"],"files":`, 1))
		},
		"of an entry": func(b []byte) []byte { return []byte(strings.Replace(string(b), `"parts":`, `"more":1,"parts":`, 1)) },
	} {
		t.Run(what, func(t *testing.T) {
			h := newPruned(t, 4)
			key := manifest.ManifestKey(4)
			h.store.Replace(key, change(h.store.Snapshot().Bytes(key)))
			before := keys(h.store)
			_, err := h.archive().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
			if err == nil || !strings.Contains(err.Error(), "a newer strongroom") || !strings.Contains(err.Error(), "snapshot 4") {
				t.Fatal(err)
			}
			if gone := slices.DeleteFunc(before, func(k string) bool { return slices.Contains(keys(h.store), k) }); len(gone) > 0 {
				t.Fatalf("it deleted %v", gone)
			}
		})
	}
}

// A prune deletes the orphans of interrupted runs, unless their number is above the newest: then a
// run that is still under way may need them. It leaves foreign objects alone.
func TestPruneLeavesTheFutureAlone(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	put := func(key string, b []byte) {
		t.Helper()
		if _, err := h.store.Put(t.Context(), key, strings.NewReader(string(b)), storetest.SumsOf(b)); err != nil {
			t.Fatal(err)
		}
	}
	content := []byte("left behind")
	behind, ahead := manifest.DataKey("0000beef.jdb", manifest.Sum(content), 3, "", nil), manifest.DataKey("0000beef.jdb", manifest.Sum(content), 4, "", nil)
	put(behind, content)
	put(ahead, content)
	put("data/README", []byte("a stranger"))
	put("notes.txt", []byte("a stranger"))
	reasons := map[string]string{}
	r := h.prune(archive.PruneOptions{Object: func(p archive.Pruned) { reasons[p.Key] = p.Why }})
	if len(r.Removed) > 0 || r.Deleted.Objects != 1 || r.Foreign != 1 || !strings.Contains(reasons[behind], "interrupted") {
		t.Fatalf("%+v, %v", r, reasons)
	}
	left := keys(h.store)
	for key, want := range map[string]bool{behind: false, ahead: true, "data/README": true, "notes.txt": true} {
		if slices.Contains(left, key) != want {
			t.Errorf("%s: %t", key, !want)
		}
	}
}

// A backup that was suspended and creates its manifest after a prune has dropped its number has
// made no snapshot, and the next prune deletes the manifest.
func TestLateManifestIsVoid(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 4)
	late := h.store.Snapshot().Bytes(manifest.ManifestKey(2))
	h.keepLast(1)
	h.store.Replace(manifest.ManifestKey(2), late)
	if _, err := h.archive().Snapshot(t.Context(), archive.Selector{Sequence: 2}); !errors.Is(err, archive.ErrNoSnapshot) {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	h.prune(archive.PruneOptions{Object: func(p archive.Pruned) { reasons[p.Key] = p.Why }})
	if why := reasons[manifest.ManifestKey(2)]; !strings.Contains(why, "invalid") {
		t.Fatal(reasons)
	}
	h.sound(4)
}

// Proofs go when they are over a year old, and never the last three of a kind.
func TestPruneProofs(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	old, now := time.Now().AddDate(-2, 0, 0), time.Now()
	put := func(at time.Time, kind string) string {
		key := manifest.ProofKey(at, kind)
		b := []byte("{}")
		if _, err := h.store.Put(t.Context(), key, strings.NewReader("{}"), storetest.SumsOf(b)); err != nil {
			t.Fatal(err)
		}
		return key
	}
	goes := []string{put(old, "verify"), put(old.Add(time.Hour), "verify")}
	stays := []string{put(old.Add(2*time.Hour), "verify"), put(now.Add(-time.Hour), "verify"), put(now, "verify"), put(old, "drill"), put(old.Add(time.Hour), "drill")}
	if r := h.keepLast(1); r.Deleted.Proofs != 2 {
		t.Fatalf("%+v", r)
	}
	left := keys(h.store)
	for _, key := range goes {
		if slices.Contains(left, key) {
			t.Error(key, "is there")
		}
	}
	for _, key := range stays {
		if !slices.Contains(left, key) {
			t.Error(key, "is gone")
		}
	}
}

// Damaged snapshots and those without a tail do not push out the last good one.
func TestPruneKeepsTheLastGood(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	for range 2 {
		h.db.grow(30)
		h.db.flip(10)
		res, err := h.archive().Backup(t.Context(), h.db.sourceOf(source.LayoutOptions{Name: "je", NoEntries: true, NoTail: true}), options)
		if err != nil {
			t.Fatal(err)
		}
		h.want[res.Snapshot.Sequence] = nil
	}
	r := h.keepLast(1)
	var kept []string
	for _, v := range r.Verdicts {
		if v.Keep {
			kept = append(kept, fmt.Sprint(v.Sequence))
		}
	}
	if got := strings.Join(kept, " "); got != "3 5" {
		t.Fatalf("kept %s: %+v", got, r.Verdicts)
	}
}
