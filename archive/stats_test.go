package archive_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
)

// What a prune would delete is counted by class, since each has its own price. The classes add up to the whole, also in
// the real prune.
func TestPruneCountsClasses(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 4)
	w := &weak{InMemory: h.store}
	w.setClasses(func(key string) string {
		if strings.HasPrefix(key, manifest.DataPrefix) {
			return "STANDARD_IA"
		}
		return "STANDARD"
	})
	a := archive.New(w, archive.Options{})
	for _, dry := range []bool{true, false} {
		r, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}, DryRun: dry})
		if err != nil || len(r.Classes) != 2 || r.Classes[0].Class != "STANDARD" || r.Classes[1].Class != "STANDARD_IA" {
			t.Fatalf("%+v, %v", r, err)
		}
		var objects, bytes int64
		for _, c := range r.Classes {
			objects, bytes = objects+c.Objects, bytes+c.Bytes
		}
		if objects != int64(r.Deleted.All()) || bytes != r.Deleted.Bytes || bytes == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// The size of an archive is that of all its objects, and not of what else lies there.
func TestStats(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	a := archive.New(w, archive.Options{})
	if _, err := a.Stats(t.Context()); !errors.Is(err, archive.ErrNoArchive) {
		t.Fatalf("%v", err)
	}
	db := newDatabase(t, t.TempDir(), 6)
	for range 3 {
		db.grow(1000)
		db.flip(100)
		mustBackup(t, a, db)
	}
	w.InMemory.Replace(manifest.DataPrefix+"foreign", make([]byte, 1000))
	w.setClasses(func(key string) string {
		if strings.HasPrefix(key, manifest.ManifestsPrefix) {
			return "B"
		}
		return "A"
	})
	s, err := a.Stats(t.Context())
	if err != nil || len(s.Snapshots) != 3 || len(s.Stored) != 2 || s.Stored[1].Class != "B" || s.Stored[1].Objects != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	var want int64
	for key := range w.InMemory.Snapshot() {
		if key != manifest.ArchiveKey && key != manifest.DataPrefix+"foreign" {
			want += int64(len(w.InMemory.Snapshot().Bytes(key)))
		}
	}
	if s.Bytes() != want {
		t.Errorf("%d bytes, not %d", s.Bytes(), want)
	}
	if s.Growth == nil || s.Growth.StoredPerDay <= 0 || s.Growth.IsEnough {
		t.Errorf("%+v", s.Growth)
	}
}

// The kinds and encodings add up to the whole, in any order of the listing. A content counts once, whatever its names,
// snapshots and encodings are, and with its smallest object.
func TestStatsByEncoding(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	a := archive.New(w, archive.Options{})
	db := newDatabase(t, t.TempDir(), 6)
	db.grow(1000)
	mustBackup(t, a, db)
	before, err := a.Stats(t.Context())
	if err != nil || before.Unique.Repeats != 0 || before.Unique.Contents == 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	one, two := manifest.Sum([]byte("one")), manifest.Sum([]byte("two"))
	put := func(key string, bytes int) { w.InMemory.Replace(key, make([]byte, bytes)) }
	put(manifest.DataKey("a", one, 2, manifest.Plain, nil), 100)
	put(manifest.DataKey("b", one, 3, manifest.Zstd, nil), 40)
	put(manifest.SealedDataKey("a", one, 4, manifest.ZstdAge, []string{"age1x"}, manifest.NewNonce()), 60)
	put(manifest.DataKey("a", two, 2, manifest.Age, []string{"age1x"}), 7)
	put(manifest.BundleKey(one, 2), 1000)
	put(manifest.PageKey(one, 2), 30)
	put(manifest.DataPrefix+"a/"+one.String()+"-000000002.gz", 1) // of no format
	s, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]int64{}
	var bytes int64
	for _, k := range s.Content {
		got[k.Kind+" "+k.Encoding] = [2]int64{k.Objects, k.Bytes}
		bytes += k.Bytes
	}
	for kind, want := range map[string][2]int64{
		"data zstd": {1, 40}, "data zstd+age": {1, 60}, "data age": {1, 7}, "bundle by part": {1, 1000}, "page zstd": {1, 30},
	} {
		if got[kind] != want {
			t.Errorf("%s: %v, want %v", kind, got[kind], want)
		}
	}
	if plain := got["data "]; plain[0] != before.Unique.Contents+1 || plain[1] != before.Unique.Bytes+100 || bytes != s.Bytes() {
		t.Errorf("%d plain, and %d bytes of %d", plain, bytes, s.Bytes())
	}
	want := archive.Unique{
		Contents: before.Unique.Contents + 2, Bytes: before.Unique.Bytes + 40 + 7, Repeats: 2, RepeatBytes: 100 + 60,
	}
	if s.Unique != want {
		t.Errorf("%+v, want %+v", s.Unique, want)
	}
	if n := s.Newest(); n == nil || n.Sequence != 1 || s.SnapshotBytes() != n.Counts.Bytes {
		t.Errorf("%d bytes in the snapshots; the newest is %+v", s.SnapshotBytes(), n)
	}
}
