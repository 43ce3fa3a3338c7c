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
