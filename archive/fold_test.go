package archive_test

import (
	"bytes"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// givenFiles is a source of closed files, by name.
type givenFiles map[string]string

func (g givenFiles) Layout() source.Layout { return (&manyFiles{}).Layout() }

func (g givenFiles) Capture(context.Context, func(source.File) bool) (*source.Capture, error) {
	then := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var files []source.File
	for _, name := range slices.Sorted(maps.Keys(g)) {
		files = append(files, source.File{Name: name, Modified: then, Size: int64(len(g[name]))})
	}
	return source.NewCapture(files, then.Add(time.Hour), func(f source.File) (source.Content, error) {
		return still{bytes.NewReader([]byte(g[f.Name]))}, nil
	}), nil
}

func (g givenFiles) bytes() map[string][]byte {
	all := map[string][]byte{}
	for name, content := range g {
		all[name] = []byte(content)
	}
	return all
}

// renamedFiles is an archive in which the name of a log file changed in letter case only, in a store with or without
// a difference between the two names.
func renamedFiles(t *testing.T, s store.Store, sets ...givenFiles) *archive.Archive {
	t.Helper()
	a := archive.New(s, archive.Options{})
	for _, files := range sets {
		if _, err := a.Backup(t.Context(), files, anything); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// On a file system that ignores letter case, the objects of Dump.log and dump.log are in one directory. Listings show
// them under one of the names, and the newest snapshot has the other. A prune must not take its objects for orphans,
// nor a verify for missing ones.
func TestNamesThatDifferInLetterCaseOnly(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(*storetest.InMemory) store.Store{
		"one name":  storetest.Folding,
		"two names": func(s *storetest.InMemory) store.Store { return s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := givenFiles{"Dump.log": "first", "other.log": "o"}
			second := givenFiles{"dump.log": "second", "other.log": "o"}
			third := givenFiles{"DUMP.log": "second", "other.log": "o"} // the same content under another name
			inMemory := storetest.Memory(t)
			a := renamedFiles(t, newStore(inMemory), first, second, third)
			sound := func(snapshots ...int64) {
				t.Helper()
				for _, n := range snapshots {
					want := []givenFiles{first, second, third}[n-1]
					mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), want.bytes())
				}
				if r := mustVerify(t, a); r.Snapshots != len(snapshots) || r.Unreferenced != 0 {
					t.Fatalf("%+v", r)
				}
			}
			sound(1, 2, 3)
			if r, err := a.Prune(t.Context(), archive.PruneOptions{}); err != nil || r.Deleted.Objects != 0 || r.Missing != 0 {
				t.Fatalf("nothing was to be removed: %+v, %v", r, err)
			}
			sound(1, 2, 3)
			last := archive.PruneOptions{Retention: &retention.Policy{Last: 1}}
			if r, err := a.Prune(t.Context(), last); err != nil || r.Deleted.Objects != 2 || r.Missing != 0 {
				t.Fatalf("the objects of two snapshots were to be removed: %+v, %v", r, err)
			}
			mustRestore(t, a, 3, filepath.Join(t.TempDir(), "r"), third.bytes())
			mustVerify(t, a)
		})
	}
}

// A missing object is reported as missing, in a store that ignores letter case too, and in one that does not, where
// another object has almost the same name.
func TestMissingObjectBesideOneWithAlmostItsName(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(*storetest.InMemory) store.Store{
		"one name":  storetest.Folding,
		"two names": func(s *storetest.InMemory) store.Store { return s },
	} {
		inMemory := storetest.Memory(t)
		a := renamedFiles(t, newStore(inMemory), givenFiles{"Dump.log": "first"}, givenFiles{"dump.log": "second"})
		var lost string
		for _, key := range inMemory.Keys(manifest.DataPrefix) {
			if k, ok := manifest.ParseObjectKey(key); ok && k.Sequence == 2 {
				lost = key
			}
		}
		content := inMemory.Snapshot().Bytes(lost)
		inMemory.Remove(lost)
		if name == "two names" { // an object that is not the missing one
			inMemory.Replace(strings.Replace(lost, "dump", "DUMP", 1), content)
		}
		r, err := a.Verify(t.Context(), archive.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != archive.ProblemMissing {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// check reports a store that ignores letter case.
func TestProbeFindsAStoreThatFoldsLetterCase(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	m := storetest.Memory(t)
	m.TolerateMismatch = true
	for name, f := range probe(t, storetest.Folding(m)) {
		if want := name == "letter case"; want != (f.Result == storecheck.Note) || f.Result == storecheck.Failed || want && f.Advice == "" {
			t.Errorf("%+v", f)
		}
	}
	if left := m.Keys(""); len(left) != 0 {
		t.Errorf("left are %q", left)
	}
}
