package archive_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// loseFirst makes a snapshot of the database after its cleaner has deleted the first file.
func loseFirst(t *testing.T, a *archive.Archive, db *database) *manifest.Manifest {
	t.Helper()
	db.remove(name(0))
	db.grow(100)
	db.flip(100)
	mustBackup(t, a, db)
	return newest(t, a)
}

// mustInterrupt begins a restore and interrupts it at a read with the given index.
func mustInterrupt(t *testing.T, store store.Store, m *manifest.Manifest, dir string, o archive.RestoreOptions, reads int,
) {
	t.Helper()
	if !interruptRestore(t, store, m, dir, o, reads) {
		t.Fatal("the restore has ended")
	}
}

// mustRefuse checks that a restore is refused because of a name, and changes nothing, and that a
// dry run reports the same.
func mustRefuse(t *testing.T, a *archive.Archive, m *manifest.Manifest, dir string, o archive.RestoreOptions, because string,
) {
	t.Helper()
	before := tree(t, filepath.Dir(dir))
	for _, o.DryRun = range []bool{true, false} {
		res, err := a.Restore(t.Context(), m, dir, o)
		if !errors.Is(err, archive.ErrOccupied) || !contains(err, because) {
			t.Errorf("dry run %t: %+v, %v", o.DryRun, res, err)
		}
	}
	unchanged(t, filepath.Dir(dir), before)
}

// An operator copies the newest log file into a set that is half restored. No restore has made it,
// so that none may remove it unless that is requested, be it in the directory itself or in the one
// where a new directory is made.
func TestFileThatNoRestoreMadeStays(t *testing.T) {
	t.Parallel()
	for _, k := range []struct{ isNew, isNewer bool }{{}, {isNewer: true}, {isNew: true}, {isNew: true, isNewer: true}} {
		t.Run(fmt.Sprintf("%+v", k), func(t *testing.T) {
			t.Parallel()
			db, store, a := archived(t, 4)
			dir := filepath.Join(t.TempDir(), "r")
			work := dir + archive.PartialSuffix
			if !k.isNew {
				work = mkdir(t, dir)
			}
			m := newest(t, a)
			mustInterrupt(t, store, m, dir, archive.RestoreOptions{}, 3)
			if k.isNewer {
				m = loseFirst(t, a, db)
			}
			write(t, work, name(99), "mine")
			mustRefuse(t, a, m, dir, archive.RestoreOptions{}, name(99))
			res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{DeleteExtra: true})
			if err != nil || !slices.Contains(res.Removed, name(99)) {
				t.Fatalf("%+v, %v", res, err)
			}
			compare(t, dir, db.files)
		})
	}
}

// A layout without a pattern takes the names of log files from a snapshot itself. A file of the
// user may so become one with the next snapshot; it is still the user's. And a file that an
// interrupted restore made is deleted, whatever names the next snapshot has.
func TestNamesOfTheNextSnapshot(t *testing.T) {
	t.Parallel()
	src, store := t.TempDir(), storetest.Memory(t)
	a := archive.New(store, archive.Options{Transfers: 1})
	write(t, src, "a.1", "first")
	write(t, src, "a.2", "second")
	backup := func() *manifest.Manifest {
		t.Helper()
		layout, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: `[ab]\.[0-9]`, Quiet: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		from, err := source.Open(src, layout)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Backup(t.Context(), from, options); err != nil {
			t.Fatal(err)
		}
		return newest(t, a)
	}
	first := backup()
	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	mustInterrupt(t, store, first, dir, archive.RestoreOptions{}, 2)
	write(t, dir, "b.7", "mine")
	if err := os.Remove(filepath.Join(src, "a.1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(src, "a.2"), filepath.Join(src, "b.3")); err != nil {
		t.Fatal(err)
	}
	second := backup()
	mustRefuse(t, a, second, dir, archive.RestoreOptions{}, "b.7")
	if err := os.Remove(filepath.Join(dir, "b.7")); err != nil {
		t.Fatal(err)
	}
	res, err := a.Restore(t.Context(), second, dir, archive.RestoreOptions{})
	if err != nil || !slices.Equal(res.Removed, []string{"a.1"}) {
		t.Fatalf("%+v, %v", res, err)
	}
	compare(t, dir, map[string][]byte{"b.3": []byte("second")})
}

// Leave to replace what a directory holds is given to one command: the next one without it is
// refused, and with it removes no file that was there before any restore.
func TestLeaveToReplaceDoesNotLast(t *testing.T) {
	t.Parallel()
	over := archive.RestoreOptions{Overwrite: true}
	for _, reads := range []int{1, 3} { // before the first file is made, and after
		db, store, a := archived(t, 4)
		dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
		write(t, dir, name(0), "mine")
		m := newest(t, a)
		mustInterrupt(t, store, m, dir, over, reads)
		mustRefuse(t, a, m, dir, archive.RestoreOptions{}, name(0))
		was := maps.Clone(db.files)
		newer := loseFirst(t, a, db)
		mustRefuse(t, a, newer, dir, archive.RestoreOptions{}, name(0))
		mustRefuse(t, a, newer, dir, over, name(0))
		if _, err := a.Restore(t.Context(), m, dir, over); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, was)
	}
}

// The same command may meet a newer snapshot, and never an older one: an operator who names one by
// mistake would lose the files restored so far.
func TestNoWayBackToAnOlderSnapshot(t *testing.T) {
	t.Parallel()
	db, store, a := archived(t, 4)
	older, was := newest(t, a), maps.Clone(db.files)
	newer := loseFirst(t, a, db)
	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	mustInterrupt(t, store, newer, dir, archive.RestoreOptions{}, 3)
	mustRefuse(t, a, older, dir, archive.RestoreOptions{}, "a restore of snapshot 2 was interrupted")
	if _, err := a.Restore(t.Context(), older, dir, archive.RestoreOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, was)
}

// A restore may be interrupted more than once, each time with a newer snapshot: the last one
// removes what any of them has made.
func TestInterruptedMoreThanOnce(t *testing.T) {
	t.Parallel()
	db, store, a := archived(t, 6)
	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	for i := range 3 {
		mustInterrupt(t, store, newest(t, a), dir, archive.RestoreOptions{}, 3)
		db.remove(name(i))
		db.grow(100)
		db.flip(100)
		mustBackup(t, a, db)
	}
	if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, db.files)
}

// The version before wrote a mark that does not name what its restore was to make: the restore of the
// same snapshot goes on, and a newer one removes nothing.
func TestMarkOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"archive":%q,"sequence":%d}`, `{"archive":%q,"sequence":%d,"alone":true}`} {
		db, _, a := archived(t, 4)
		m := newest(t, a)
		dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
		write(t, dir, name(0), string(db.files[name(0)]))
		write(t, dir, archive.IncompleteMarker, fmt.Sprintf(text, m.Archive, m.Sequence))
		was := maps.Clone(db.files)
		mustRefuse(t, a, loseFirst(t, a, db), dir, archive.RestoreOptions{}, name(0))
		if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, was)
	}
}
