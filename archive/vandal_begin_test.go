package archive_test

import (
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// What an outsider creates before an archive's first backup does not keep it from beginning, if it cannot be the rest of
// an archive. Otherwise one object at any key of a manifest would keep a database from ever being backed up.
func TestBeginsBesideGarbage(t *testing.T) {
	t.Parallel()
	record := forged(t, vandalized(t), manifest.LedgerKey(1), "00000000-0000-4000-8000-000000000000", 5)
	id := `{"format":"strongroom/1","id":"00000000-0000-4000-8000-000000000001","created":"2026-11-01T00:00:00Z","layout":"je"}`
	for name, objects := range map[string]map[string]string{
		"braces":             {manifest.ManifestKey(1): "{}"},
		"empty":              {manifest.ManifestKey(1): ""},
		"noise":              {manifest.ManifestKey(7): "\x00\xff noise"},
		"in the way":         {manifest.ManifestKey(1): "{}", manifest.ManifestKey(2): "{}", manifest.ManifestKey(3): "{}"},
		"far":                {manifest.ManifestKey(2 * manifest.MaxAhead): "{}"},
		"the last number":    {manifest.ManifestKey(manifest.MaxCounted): "{}"},
		"a record":           {manifest.LedgerKey(1): string(record)},
		"both":               {manifest.LedgerKey(1): string(record), manifest.ManifestKey(5): "{}"},
		"hidden by a record": {manifest.LedgerKey(1): string(record), manifest.ManifestKey(1): "{}"},
		"broken records":     {manifest.LedgerKey(1): "{}", manifest.LedgerKey(2): "{}", manifest.ManifestKey(1): "{}"},
		"after archive.json": {manifest.ArchiveKey: id, manifest.ManifestKey(manifest.MaxCounted): "{}"},
		"both after archive.json": {
			manifest.ArchiveKey: id, manifest.LedgerKey(1): string(record), manifest.ManifestKey(5): "{}",
		},
		"a directory of others": {manifest.ManifestKey(1): "{}", manifest.DataPrefix + "report.txt": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 0)
				for key, content := range objects {
					h.store.Replace(key, []byte(content))
				}
				if f, _ := h.archive().Preflight(t.Context()); f.Result == "failed" {
					t.Errorf("preflight: %+v", f)
				}
				for range 3 {
					h.db.grow(50)
					h.db.flip(20)
					n := mustBackup(t, h.archive(), h.db).Snapshot.Sequence
					h.want[n] = maps.Clone(h.db.files)
				}
				readable := 0
				for _, s := range mustList(t, h.archive()) {
					if s.Err == nil {
						mustRestore(t, h.archive(), s.Sequence, filepath.Join(t.TempDir(), "r"), h.want[s.Sequence])
						readable++
					}
				}
				if m := newest(t, h.archive()); readable != 3 || len(h.want) != 3 || h.want[m.Sequence] == nil {
					t.Errorf("%d snapshots can be read; the newest is %d", readable, m.Sequence)
				}
			})
		})
	}
}

// What may be the rest of an archive keeps another one from beginning there, and the error names it: a disk may not be
// mounted, and the rest may be all that there is.
func TestBeginsNeverInTheRestOfAnArchive(t *testing.T) {
	t.Parallel()
	for name, stays := range map[string]func(key string) bool{
		"all but archive.json": func(string) bool { return true },
		"manifests":            func(key string) bool { return strings.HasPrefix(key, manifest.ManifestsPrefix) },
		"one manifest":         func(key string) bool { return key == manifest.ManifestKey(3) },
		"a manifest and data": func(key string) bool {
			return key == manifest.ManifestKey(3) || strings.HasPrefix(key, manifest.DataPrefix)
		},
	} {
		for _, rots := range []bool{false, true} {
			if rots && (name == "manifests" || name == "one manifest") {
				continue // nothing is left then
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(t *testing.T) {
					h := vandalized(t)
					some := ""
					for _, key := range h.store.Keys("") {
						if key == manifest.ArchiveKey || !stays(key) {
							h.store.Remove(key)
							continue
						}
						if some = key; rots && strings.HasPrefix(key, manifest.ManifestsPrefix) {
							h.store.Damage(key, func([]byte) []byte { return []byte("{}") })
						}
					}
					if some == "" {
						t.Fatal("nothing is left")
					}
					before := h.store.Snapshot()
					_, err := h.archive().Backup(t.Context(), h.db.source(), options)
					if !errors.Is(err, archive.ErrLostID) || !strings.Contains(err.Error(), "what is left includes ") {
						t.Errorf("%v", err)
					}
					if !h.store.Snapshot().Equal(before) {
						t.Error("the backup has changed it")
					}
				})
			})
		}
	}
}

// Another archive seems to lie within the place of a new one, or around it, since an outsider created an archive.json
// there. A backup is refused until an operator accepts that, once.
func TestBeginsAroundAnother(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 0)
		h.store.Replace("x/"+manifest.ArchiveKey, []byte(`{"format":"strongroom/1","id":"00000000-0000-4000-8000-000000000001","created":"2026-11-01T00:00:00Z","layout":"je"}`))
		h.db.fill(3, 100)
		_, err := h.archive().Backup(t.Context(), h.db.source(), options)
		refusal, is := errors.AsType[*archive.Refusal](err)
		if !errors.Is(err, archive.ErrNested) || !is || !strings.Contains(err.Error(), "x/") {
			t.Fatalf("%v", err)
		}
		accepts := options
		accepts.Confirmed = []archive.Confirmation{refusal.Confirmation}
		other := "u/" + manifest.ArchiveKey // found before the one that was confirmed
		h.store.Replace(other, []byte(`{"format":"strongroom/1","id":"00000000-0000-4000-8000-000000000002","created":"2026-11-01T00:00:00Z","layout":"je"}`))
		if _, err := h.archive().Backup(t.Context(), h.db.source(), accepts); !errors.Is(err, archive.ErrNested) {
			t.Errorf("the confirmation of x/ accepts another archive: %v", err)
		}
		if err := h.store.Delete(t.Context(), store.AnyVersion(other)); err != nil {
			t.Fatal(err)
		}
		res, err := h.archive().Backup(t.Context(), h.db.source(), accepts)
		if err != nil || len(res.Snapshot.Accepted) != 1 {
			t.Fatalf("%+v, %v", res.Snapshot, err)
		}
		h.want[1] = maps.Clone(h.db.files)
		n := h.next() // the later ones need no flag
		h.keepLast(1)
		mustRestore(t, h.archive(), n, filepath.Join(t.TempDir(), "r"), h.want[n])
		if h.store.Snapshot().Bytes("x/"+manifest.ArchiveKey) == nil {
			t.Error("a prune has deleted the other one's object")
		}
	})
}
