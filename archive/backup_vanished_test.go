package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// One of a database's directories that is not mounted is not a cleaner's work: a third of the
// log would be lost, and the next prune would delete the last copy of it.
func TestMissingDirectory(t *testing.T) {
	t.Parallel()
	three := []string{"data001", "data002", "data003"}
	const with, without = true, false // local state
	for _, test := range []struct {
		name   string
		dirs   []string
		state  bool
		change func(*dealer)
		want   error
	}{
		{"mount point", three, with, func(d *dealer) { d.unmount("data002", true) }, archive.ErrMissingFiles},
		{"absent", three, with, func(d *dealer) { d.unmount("data002", false) }, archive.ErrMissingFiles},
		{"absent", three, without, func(d *dealer) { d.unmount("data002", false) }, archive.ErrMissingFiles},
		{"mount point, its turn has passed", three, without, func(d *dealer) {
			d.unmount("data002", true)
			d.beginExcept("data002", 4)
		}, archive.ErrMissingFiles},
		{"mount point, its turn has not come", three, without, func(d *dealer) {
			d.begin(2) // 12 and 13: the next in data002 is 13
			d.unmount("data003", true)
			delete(d.files, d.path(14))
		}, nil},
		{"written to as a mount point", three, with, func(d *dealer) {
			d.unmount("data002", true)
			d.begin(6)
		}, archive.ErrMissingFiles},
		{"cleaned", three, with, func(d *dealer) { d.begin(1); d.clean("data002") }, nil},
		{"cleaned, and its turn has passed", three, with, func(d *dealer) { d.begin(5); d.clean("data002") }, nil},
		{"cleaned, and written to", three, without, func(d *dealer) { d.clean("data002"); d.begin(5) }, nil},
		{"top directory", []string{"", "data001", "data002"}, without, func(d *dealer) {
			d.clean("")
			d.beginExcept("", 5)
		}, archive.ErrMissingFiles},
		{"top directory, cleaned", []string{"", "data001", "data002"}, with, func(d *dealer) {
			d.clean("")
			d.beginExcept("", 5)
		}, nil},
		{"five directories", []string{"data001", "data002", "data003", "data004", "data005"}, without, func(d *dealer) {
			d.unmount("data004", true)
			d.beginExcept("data004", 6)
		}, archive.ErrMissingFiles},
		{"one of two", three[:2], with, func(d *dealer) { d.unmount("data001", true) }, archive.ErrMissingFiles},
	} {
		what := test.name
		if !test.state {
			what += ", without local state"
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDealer(t, test.dirs...)
			if test.name == "written to as a mount point" && !d.hasBirthTimes() {
				t.Skip("the file system does not report when a directory was made")
			}
			d.begin(12)
			o := archive.Options{}
			if test.state {
				o.State = &archive.LocalState{Dir: t.TempDir()}
			}
			store := storetest.Memory(t)
			mustBackup(t, archive.New(store, o), d.database)
			test.change(d)
			objects := len(store.Keys(""))
			for _, accept := range [][]manifest.Guard{nil, {manifest.GuardRollback, manifest.GuardTakeOver}} {
				b := options
				b.Accept = accept
				res, err := archive.New(store, o).Backup(t.Context(), d.source(), b)
				if test.want == nil {
					isRight(t, res, err, nil)
					return
				}
				isRight(t, res, err, test.want)
			}
			if n := len(store.Keys("")); n != objects {
				t.Errorf("%d objects were written", n-objects)
			}
			accepting := options
			accepting.Accept = []manifest.Guard{manifest.GuardMissing}
			a := archive.New(store, o)
			res, err := a.Backup(t.Context(), d.source(), accepting)
			isRight(t, res, err, nil)
			if m := newest(t, a); !slices.Equal(m.Accepted, accepting.Accept) {
				t.Errorf("the manifest lists %q as accepted", m.Accepted)
			}
			if res, err = a.Backup(t.Context(), d.source(), options); err != nil || res.Committed {
				t.Errorf("the next run: committed %v, %v", res.Committed, err)
			}
		})
	}
}

// A refused run leaves the local state as it is: the directory is missed until it is back, and
// then nothing has to be accepted.
func TestMissingDirectoryIsMountedAgain(t *testing.T) {
	t.Parallel()
	d := newDealer(t, "data001", "data002", "data003")
	d.begin(12)
	state := t.TempDir()
	a := archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: state}})
	mustBackup(t, a, d.database)
	d.unmount("data003", true)
	for range 2 {
		if _, err := a.Backup(t.Context(), d.source(), options); !errors.Is(err, archive.ErrMissingFiles) {
			t.Fatal(err)
		}
	}
	d.mount("data003")
	d.begin(1)
	res := mustBackup(t, a, d.database)
	mustRestoreTree(t, a, res.Snapshot.Sequence, d.files)

	// Without its state the host uses the present directories, and records them again.
	for _, f := range glob(t, state, "*.source.json") {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if res := mustBackup(t, a, d.database); res.Committed {
		t.Errorf("%+v", res)
	}
	if len(glob(t, state, "*.source.json")) != 1 {
		t.Error("a run without changes does not record the directories")
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// mustRestoreTree is mustRestore for files in directories.
func mustRestoreTree(t *testing.T, a *archive.Archive, sequence int64, want map[string][]byte) {
	t.Helper()
	m, err := a.Snapshot(t.Context(), archive.Selector{Sequence: sequence})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "r")
	if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(content) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(content), err)
		}
	}
	if len(m.Files) != len(want) {
		t.Errorf("%d files, want %d", len(m.Files), len(want))
	}
}
