package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// original is an archive that is to be copied, with bundles, tails of several parts, a
// file that the cleaner has taken and, if it has many files, pages.
type original struct {
	db    *database
	store store.Store
	want  []map[string][]byte // by snapshot, from 1 on
}

func newOriginal(t tb, dir string, store store.Store, files int) *original {
	o := &original{db: newDatabase(t, dir, 90), store: store}
	o.db.fill(files, 40)
	o.db.grow(100)
	o.backup(t)
	o.db.grow(50)
	o.backup(t)
	o.db.flip(30)
	o.db.remove(name(3))
	o.backup(t)
	return o
}

func (o *original) archive() *archive.Archive { return archive.New(o.store, archive.Options{}) }

func (o *original) backup(t tb) {
	t.Helper()
	mustBackup(t, o.archive(), o.db)
	o.want = append(o.want, maps.Clone(o.db.files))
}

func mustCopy(t tb, from, to store.Store) *archive.CopyReport {
	t.Helper()
	r, err := archive.Copy(context.Background(), archive.New(from, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	if len(r.Problems) > 0 {
		t.Fatalf("%+v", r.Problems)
	}
	return r
}

// content is all that lies in a store.
func content(t tb, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for o, err := range s.List(context.Background(), "", "", "") {
		if err != nil {
			t.Fatalf("%v", err)
		}
		r, err := s.Get(context.Background(), o.Key, 0, -1)
		if err != nil {
			t.Fatalf("%v", err)
		}
		b, err := io.ReadAll(r)
		if r.Close(); err != nil {
			t.Fatalf("%v", err)
		}
		all[o.Key] = string(b)
	}
	return all
}

// sameContent compares two stores byte for byte.
func sameContent(t tb, from, to store.Store) {
	t.Helper()
	sameObjects(t, content(t, from), content(t, to))
}

// sameObjects is sameContent of what content has returned.
func sameObjects(t tb, want, got map[string]string) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	for key := range want {
		if is, ok := got[key]; !ok || is != want[key] {
			t.Errorf("%s is not in the copy, or not the same", key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s is in the copy only", key)
		}
	}
	t.Fatalf("the copy is another")
}

// sound verifies and restores a copy, from nothing but itself.
func (o *original) sound(t testing.TB, copied store.Store) {
	t.Helper()
	a := archive.New(copied, archive.Options{})
	if r := mustVerify(t, a); r.Snapshots != len(o.want) || r.Unreferenced > 0 {
		t.Fatalf("%+v", r)
	}
	for i, files := range o.want {
		mustRestore(t, a, int64(i+1), filepath.Join(t.TempDir(), "r"), files)
	}
}

// A whole archive from memory to a directory and on to memory: byte for byte the same, and
// sound without the original. Then only what is new is sent, and nothing if nothing is.
func TestCopy(t *testing.T) {
	t.Parallel()
	for _, files := range []int{20, 300} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			o := newOriginal(t, t.TempDir(), storetest.Memory(t), files)
			dir := openBucket(t, "file://"+t.TempDir()+"/copy", 0)
			back := storetest.Memory(t)
			for _, way := range [][2]store.Store{{o.store, dir}, {dir, back}} {
				r := mustCopy(t, way[0], way[1])
				if !slices.Equal(r.Snapshots, []int64{1, 2, 3}) || r.Newest != 3 || r.Adopted != 0 || len(r.Warnings) > 0 {
					t.Fatalf("%+v", r)
				}
				objects := 0
				for key := range content(t, way[0]) {
					if _, ok := manifest.ParseObjectKey(key); ok {
						objects++
					}
				}
				if r.Objects != objects {
					t.Fatalf("%d objects sent of %d", r.Objects, objects)
				}
				sameContent(t, o.store, way[1])
				o.sound(t, way[1])
			}
			if prefix := manifest.PagesPrefix; files > 250 && !slices.ContainsFunc(slices.Collect(maps.Keys(content(t, back))), func(k string) bool { return strings.HasPrefix(k, prefix) }) {
				t.Fatal("no pages were copied")
			}

			o.db.grow(10)
			o.backup(t)
			counting := storetest.NewFaulty(back, -1, storetest.NotApplied)
			if r := mustCopy(t, o.store, counting); !slices.Equal(r.Snapshots, []int64{4}) || r.Objects > 2 { // the stretch, and its page
				t.Fatalf("%+v", r)
			}
			if puts := counting.Ops().Put; puts > 3 {
				t.Fatalf("%d puts for a grown tail", puts)
			}
			sameContent(t, o.store, back)
			counting.Arm(-1, storetest.NotApplied)
			if r := mustCopy(t, o.store, counting); len(r.Snapshots) > 0 || r.Newest != 4 || counting.Ops().Put > 0 || counting.Ops().Total() > 6 {
				t.Fatalf("nothing is new: %+v, %+v", r, counting.Ops())
			}
		})
	}
}

// A dry run reports what would be copied and writes nothing.
func TestCopyDryRun(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, t.TempDir(), storetest.Memory(t), 300)
	to := storetest.Memory(t)
	dry, err := archive.Copy(t.Context(), o.archive(), archive.New(to, archive.Options{}), archive.CopyOptions{DryRun: true})
	if err != nil || len(content(t, to)) > 0 {
		t.Fatalf("%v, and it wrote %d objects", err, len(content(t, to)))
	}
	if r := mustCopy(t, o.store, to); !slices.Equal(r.Snapshots, dry.Snapshots) || r.Objects != dry.Objects || r.Bytes != dry.Bytes || dry.Newest != 3 {
		t.Fatalf("it announced %+v and did %+v", dry, r)
	}
	var objects int64
	for _, r := range dry.Plan.Reads {
		objects += r.Objects
	}
	if objects != int64(dry.Objects) || bytesOf(dry.Plan.Reads) != dry.Bytes || dry.Plan.Missing != 0 {
		t.Errorf("it has prices for %+v of %d objects, %d bytes", dry.Plan, dry.Objects, dry.Bytes)
	}
}

// Snapshots that the source has pruned leave gaps, and the copy has no object that only they
// needed.
func TestCopyOfPruned(t *testing.T) {
	t.Parallel()
	store := storetest.Memory(t)
	o := newOriginal(t, t.TempDir(), store, 20)
	kept := mustRef(t, store, 3)
	record := manifest.Record{Format: manifest.Format, Archive: newest(t, o.archive()).Archive, Number: 1, Why: "a test", Newest: 3, Kept: []manifest.Kept{{Ref: kept, Held: "the copy does not hold it"}}, Removed: []int64{1, 2}}
	b, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	store.Replace(manifest.LedgerKey(1), b)
	to := storetest.Memory(t)
	if r := mustCopy(t, store, to); !slices.Equal(r.Snapshots, []int64{3}) {
		t.Fatalf("%+v", r)
	}
	sound := func(want ...int64) {
		t.Helper()
		a := archive.New(to, archive.Options{})
		for _, n := range want {
			mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), o.want[n-1])
		}
		if r := mustVerify(t, a); r.Snapshots != len(want) || r.Unreferenced > 0 {
			t.Fatalf("%+v", r)
		}
	}
	sound(3)
	o.db.grow(10)
	o.backup(t)
	if r := mustCopy(t, store, to); !slices.Equal(r.Snapshots, []int64{4}) {
		t.Fatalf("%+v", r)
	}
	sound(3, 4)
}

func mustRef(t testing.TB, s *storetest.InMemory, n int64) manifest.Ref {
	t.Helper()
	return manifest.Ref{Sequence: n, SHA256: manifest.Sum(s.Snapshot().Bytes(manifest.ManifestKey(n)))}
}

// A target that is no copy of the source is refused, and not written to.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, t.TempDir(), storetest.Memory(t), 20)
	grown := func(t *testing.T, more int) *storetest.InMemory {
		to := storetest.Memory(t)
		mustCopy(t, o.store, to)
		db := newDatabase(t, t.TempDir(), 91)
		for range more {
			db.flip(20)
			if _, err := archive.New(to, archive.Options{}).Backup(t.Context(), db.source(), archive.BackupOptions{Node: "node-1", Tool: "test", Acceptance: acceptAll}); err != nil {
				t.Fatal(err)
			}
		}
		return to
	}
	other := newOriginal(t, t.TempDir(), storetest.Memory(t), 20)
	ahead := grown(t, 1)
	aside, above := grown(t, 1), grown(t, 1)
	refused := func(what string, from, to store.Store, want string) {
		t.Helper()
		before := content(t, to)
		for _, dry := range []bool{true, false} {
			r, err := archive.Copy(t.Context(), archive.New(from, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{DryRun: dry})
			if !errors.Is(err, archive.ErrNoCopy) || !strings.Contains(err.Error(), want) || len(r.Snapshots) > 0 {
				t.Errorf("%s: %+v, %v", what, r, err)
			}
		}
		if !maps.Equal(before, content(t, to)) {
			t.Errorf("%s: the target has changed", what)
		}
	}
	refused("another archive", other.store, grown(t, 0), "copy to another destination")
	refused("ahead", o.store, ahead, "newest snapshot is 4")
	o.db.grow(10)
	o.backup(t)
	refused("beside", o.store, aside, "both have a snapshot 4")
	o.db.grow(10)
	o.backup(t)
	refused("below", o.store, above, "is not the one that the source's snapshot 5 follows")

	if _, err := archive.Copy(t.Context(), archive.New(storetest.Memory(t), archive.Options{}), archive.New(storetest.Memory(t), archive.Options{}), archive.CopyOptions{}); !errors.Is(err, archive.ErrNoArchive) {
		t.Errorf("of nothing: %v", err)
	}
}

// The target names what the next snapshot shares with the past, or it is no copy: a prune
// of the target may have removed it.
func TestCopyNeedsTheSamePast(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, t.TempDir(), storetest.Memory(t), 20)
	to := storetest.Memory(t)
	mustCopy(t, o.store, to)
	o.db.grow(10)
	o.backup(t)
	o.db.grow(10)
	o.backup(t)
	// The source has lost snapshot 4, which is as if it was pruned, and the target's newest
	// names something else: its page or file list is of another database.
	source := o.store.(*storetest.InMemory)
	source.Remove(manifest.ManifestKey(4))
	m, err := manifest.DecodeManifest(to.Snapshot().Bytes(manifest.ManifestKey(3)), 3)
	if err != nil {
		t.Fatal(err)
	}
	gone := m.Files[len(m.Files)-2].Name
	m.Files = slices.DeleteFunc(m.Files, func(f manifest.File) bool { return f.Name == gone })
	m.Counts = manifest.Counts{}
	for i := range m.Files {
		m.Counts.Add(&m.Files[i])
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	to.Replace(manifest.ManifestKey(3), b)
	if _, err := archive.Copy(t.Context(), o.archive(), archive.New(to, archive.Options{}), archive.CopyOptions{}); !errors.Is(err, archive.ErrNoCopy) || !strings.Contains(err.Error(), gone) {
		t.Fatalf("%v", err)
	}
}
