package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers/storetest"
)

// A dealer is a database that deals its files to several directories, round robin, as JE does
// with je.log.nDataDirectories: of n, file N lies in the one that is named after N mod n, plus 1.
type dealer struct {
	*database
	dirs []string
	next int
}

func newDealer(t *testing.T, dirs ...string) *dealer {
	t.Helper()
	db := newDatabase(t, t.TempDir(), 80)
	db.remove(name(0))
	d := &dealer{database: db, dirs: dirs}
	for _, dir := range dirs {
		d.mkdir(dir)
	}
	return d
}

func (d *dealer) mkdir(dir string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Join(d.dir, dir), 0o755); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// path is the name of the file with a number.
func (d *dealer) path(n int) string { return filepath.Join(d.dirs[n%len(d.dirs)], name(n)) }

// begin begins so many files, which closes those before.
func (d *dealer) begin(files int) {
	d.t.Helper()
	for range files {
		d.set(d.path(d.next), d.noise(50))
		d.next++
	}
}

// beginExcept begins files, without those of a directory that is not there to take them.
func (d *dealer) beginExcept(dir string, files int) {
	d.t.Helper()
	for range files {
		if d.dirs[d.next%len(d.dirs)] != dir {
			d.set(d.path(d.next), d.noise(50))
		}
		d.next++
	}
}

// unmount leaves an empty mount point, or nothing, in place of a directory.
func (d *dealer) unmount(dir string, mountPoint bool) {
	d.t.Helper()
	if err := os.Rename(filepath.Join(d.dir, dir), filepath.Join(d.dir, dir+".away")); err != nil {
		d.t.Fatalf("%v", err)
	}
	if mountPoint {
		d.mkdir(dir)
	}
}

func (d *dealer) mount(dir string) {
	d.t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, dir)); err != nil {
		d.t.Fatalf("%v", err)
	}
	if err := os.Rename(filepath.Join(d.dir, dir+".away"), filepath.Join(d.dir, dir)); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// clean deletes all files of a directory, as a cleaner may, or of the files at its top.
func (d *dealer) clean(dir string) {
	d.t.Helper()
	for n := range d.next {
		if _, ok := d.files[d.path(n)]; ok && d.dirs[n%len(d.dirs)] == dir {
			d.remove(d.path(n))
		}
	}
}

func (d *dealer) hasBirthTimes() bool {
	d.t.Helper()
	c, err := d.source().Capture(context.Background(), nil)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	defer c.Close()
	return c.Dirs[""].Born != 0
}

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
				o.Witness = &archive.Witness{Dir: t.TempDir()}
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
				t.Errorf("the manifest says that %q were accepted", m.Accepted)
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
	a := archive.New(storetest.Memory(t), archive.Options{Witness: &archive.Witness{Dir: state}})
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

	// Without its state the host goes by what there is, and remembers that again.
	for _, f := range glob(t, state, "*.source.json") {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if res := mustBackup(t, a, d.database); res.Committed {
		t.Errorf("%+v", res)
	}
	if len(glob(t, state, "*.source.json")) != 1 {
		t.Error("a run without news does not remember the directories")
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

// Most of the files are gone and no file was begun since: that may be a large clean-up, and must
// be accepted once. As soon as there is a new file, nothing has to be.
func TestMostFilesAreGone(t *testing.T) {
	t.Parallel()
	removing := func(n int) func(*database) {
		return func(d *database) {
			for _, f := range d.closed()[:n] {
				d.remove(f)
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*database)
		accept []manifest.Guard
		want   error
	}{
		{"half", removing(5), nil, nil},
		{"more than half", removing(6), nil, archive.ErrMissingFiles},
		{"more than half, and the open file grew", func(d *database) { removing(6)(d); d.grow(10) }, nil, archive.ErrMissingFiles},
		{"more than half, accepted", removing(6), []manifest.Guard{manifest.GuardMissing}, nil},
		{"another guard accepted", removing(6), []manifest.Guard{manifest.GuardRollback, manifest.GuardTakeOver}, archive.ErrMissingFiles},
		{"more than half, and a new file", func(d *database) { removing(9)(d); d.flip(10) }, nil, nil},
		{"gone back, and more than half of the rest", func(d *database) {
			for _, n := range []int{10, 9, 5, 4, 3, 2, 1} {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardRollback}, archive.ErrMissingFiles},
		{"gone back by more than half", func(d *database) {
			for n := 10; n > 3; n-- {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardRollback}, nil},
		{"gone back by more than half, not accepted", func(d *database) {
			for n := 10; n > 3; n-- {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardMissing}, archive.ErrRolledBack},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, t.TempDir(), 81)
			db.fill(11, 50)
			a := archive.New(storetest.Memory(t), archive.Options{Witness: &archive.Witness{Dir: t.TempDir()}})
			mustBackup(t, a, db)
			test.change(db)
			o := options
			o.Accept = test.accept
			res, err := a.Backup(t.Context(), db.source(), o)
			isRight(t, res, err, test.want)
			if test.want == archive.ErrMissingFiles && test.accept == nil {
				db.flip(10)
				mustBackup(t, a, db)
			}
		})
	}
}

// Files without numbers come and go as they like.
func TestUnorderedFilesAreNeverMissing(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 82)
	db.fill(10, 50)
	a := archive.New(storetest.Memory(t), archive.Options{})
	if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil {
		t.Fatal(err)
	}
	for _, f := range db.closed()[:9] {
		db.remove(f)
	}
	if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil {
		t.Error(err)
	}
}

// A cleaner that deletes at random, down to emptying whole directories, while the database
// begins files: nothing of that is ever refused, with local state or, as long as it leaves the
// newest files, without.
func TestBusyCleanerIsNeverRefused(t *testing.T) {
	t.Parallel()
	for _, state := range []bool{true, false} {
		for dirs := 1; dirs <= 4; dirs++ {
			t.Run(fmt.Sprintf("state %v, %d directories", state, dirs), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(83, uint64(dirs)))
				names := []string{""}
				if dirs > 1 {
					names = []string{"data001", "data002", "data003", "data004"}[:dirs]
				}
				d := newDealer(t, names...)
				d.begin(3)
				o := archive.Options{}
				if state {
					o.Witness = &archive.Witness{Dir: t.TempDir()}
				}
				a := archive.New(storetest.Memory(t), o)
				mustBackup(t, a, d.database)
				for range 150 {
					d.begin(1 + random.IntN(4))
					spared := 1
					if !state {
						spared = 2 * dirs
					}
					for n := range d.next - spared {
						if _, ok := d.files[d.path(n)]; ok && random.IntN(2) == 0 {
							d.remove(d.path(n))
						}
					}
					res, err := a.Backup(t.Context(), d.source(), options)
					if err != nil && (state || !errors.Is(err, archive.ErrForeign)) { // there are no headers to recognize it by
						t.Fatal(err)
					}
					if err != nil {
						accepting := options
						accepting.Accept = []manifest.Guard{manifest.GuardTakeOver}
						if res, err = a.Backup(t.Context(), d.source(), accepting); err != nil {
							t.Fatal(err)
						}
					}
					if !res.Committed {
						t.Fatal("no snapshot")
					}
				}
			})
		}
	}
}
