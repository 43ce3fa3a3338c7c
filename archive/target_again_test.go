package archive_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/internal/testmount"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A restore of an earlier version may be killed, or exceed a quota, between the making of its marker and the writing.
// The marker is then empty, or cut, and names no restore. The same command succeeds all the same: in an emergency the
// operator need not find out which file to remove.
func TestSameCommandAfterAnUnreadableMarker(t *testing.T) {
	t.Parallel()
	const some = "0000000[0-1].jdb"
	few := archive.RestoreOptions{Include: []string{some}}
	fewOver := archive.RestoreOptions{Include: few.Include, Overwrite: true}
	others := map[string]string{"x": "mine", name(1): "other"}
	for what, k := range map[string]struct {
		o      archive.RestoreOptions
		there  []int             // files of the snapshot that the restore before has made
		others map[string]string // that were there before
		isNew  bool
	}{
		"an empty directory":                {},
		"a part of the set":                 {there: []int{0, 2}},
		"all of the set":                    {there: []int{0, 1, 2, 3}},
		"a part of a few files":             {there: []int{0}, o: few},
		"other files":                       {others: others, o: archive.RestoreOptions{Overwrite: true}},
		"a few files, other files":          {others: others, o: fewOver},
		"a new directory":                   {isNew: true, there: []int{0, 2}},
		"a few files, into a new directory": {isNew: true, there: []int{0}, o: few},
	} {
		for _, text := range []string{"", "\n", `{"archive":"`, "\x00\x00"} {
			t.Run(fmt.Sprintf("%s, %q", what, text), func(t *testing.T) {
				t.Parallel()
				db, _, a := archived(t, 4)
				dir := filepath.Join(t.TempDir(), "r")
				work := dir
				if k.isNew {
					work += archive.PartialSuffix
				}
				mkdir(t, work)
				for n, content := range k.others {
					write(t, work, n, content)
				}
				for _, n := range k.there {
					write(t, work, name(n), string(db.files[name(n)]))
				}
				write(t, work, archive.IncompleteMarker, text)
				res, err := a.Restore(t.Context(), newest(t, a), dir, k.o)
				if err != nil {
					t.Fatal(err)
				}
				if len(k.there) < 4 && (len(res.Continued) != 1 || res.Continued[0].Sequence != 0) {
					t.Errorf("continued %+v", res.Continued)
				}
				want := maps.Clone(db.files)
				if k.o.Include != nil {
					maps.DeleteFunc(want, func(n string, _ []byte) bool { return n > name(1) })
				}
				if k.others["x"] != "" {
					want["x"] = []byte("mine")
				}
				compare(t, dir, want)
			})
		}
	}
}

// What a marker that cannot be read does not allow: files of the user stay, and a restore of a few files does not end
// what may be a restore of more.
func TestUnreadableMarkerAllowsNothing(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)
	few := archive.RestoreOptions{Include: []string{name(1)}}
	for _, k := range []struct {
		name, content string
		o             archive.RestoreOptions
		isNew         bool
	}{
		{name: name(1), content: "mine"},
		{name: "notes", content: "mine"},
		{name: name(0), content: string(db.files[name(0)]), o: few},
		{name: name(0), content: string(db.files[name(0)]), o: few, isNew: true},
	} {
		dir := filepath.Join(t.TempDir(), "r")
		work := dir
		if k.isNew {
			work += archive.PartialSuffix
		}
		mkdir(t, work)
		write(t, work, archive.IncompleteMarker, "")
		write(t, work, k.name, k.content)
		before := tree(t, filepath.Dir(dir))
		if _, err := a.Restore(t.Context(), m, dir, k.o); !errors.Is(err, archive.ErrOccupied) {
			t.Errorf("%+v: %v", k, err)
		}
		unchanged(t, filepath.Dir(dir), before)
	}
}

// A rerun reports which snapshots it continued, and the marker names all whose files may be there.
func TestContinuedRestoresAreNamed(t *testing.T) {
	t.Parallel()
	for _, isNew := range []bool{false, true} {
		db, store, a := archived(t, 6)
		dir := filepath.Join(t.TempDir(), "r")
		work := dir + archive.PartialSuffix
		if !isNew {
			work = mkdir(t, dir)
		}
		for i := range 2 {
			mustInterrupt(t, store, newest(t, a), dir, archive.RestoreOptions{}, 3)
			db.remove(name(i))
			db.flip(100)
			mustBackup(t, a, db)
		}
		b, err := os.ReadFile(filepath.Join(work, archive.IncompleteMarker))
		if err != nil {
			t.Fatal(err)
		}
		var mark struct{ Snapshots []archive.Begun }
		if err := json.Unmarshal(b, &mark); err != nil || !slices.Equal(sequences(mark.Snapshots), []int64{1, 2}) {
			t.Errorf("the marker names %+v, %v", mark.Snapshots, err)
		}
		res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
		if err != nil || !slices.Equal(sequences(res.Continued), []int64{1, 2}) {
			t.Errorf("continued %+v, %v", res.Continued, err)
		}
		res, err = a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
		if err != nil || len(res.Continued) > 0 {
			t.Errorf("a restore of what is complete continued %+v, %v", res.Continued, err)
		}
	}
}

func sequences(begun []archive.Begun) (all []int64) {
	for _, b := range begun {
		all = append(all, b.Sequence)
	}
	return all
}

// One destination of a database fails in the middle of a restore, and the command goes on with another one, whose
// archive has an id and numbers of its own. It also does when the same command is run again.
func TestRestoreContinuesFromAnotherDestination(t *testing.T) {
	t.Parallel()
	db, one, a := archived(t, 5)
	mustBackup(t, a, db)
	other := storetest.Memory(t)
	b := archive.New(other, archive.Options{Transfers: 1})
	for range 3 {
		db.grow(10)
		mustBackup(t, b, db)
	}
	first, second := newest(t, a), newest(t, b)
	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	mustInterrupt(t, one, first, dir, archive.RestoreOptions{}, 3)
	mustRefuse(t, b, second, dir, archive.RestoreOptions{}, name(0))
	also := archive.RestoreOptions{Also: []string{first.Archive}}
	mustInterrupt(t, other, second, dir, also, 3)
	mustInterrupt(t, one, first, dir, archive.RestoreOptions{}, 1) // the same command, which begins with the first again
	res, err := b.Restore(t.Context(), second, dir, also)
	if err != nil || len(res.Continued) != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	compare(t, dir, db.files)
}

// archiveOf archives the files of a directory, with the layout for files that match a pattern.
func archiveOf(t *testing.T, pattern string, files map[string]string) (*storetest.InMemory, *archive.Archive) {
	t.Helper()
	src, store := t.TempDir(), storetest.Memory(t)
	for n, content := range files {
		write(t, src, n, content)
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: pattern, Quiet: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	from, err := source.Open(src, layout)
	if err != nil {
		t.Fatal(err)
	}
	a := archive.New(store, archive.Options{Transfers: 1})
	if _, err := a.Backup(t.Context(), from, options); err != nil {
		t.Fatal(err)
	}
	return store, a
}

// A restore of another snapshot was interrupted. One that may overwrite keeps none of its files, not even those that are
// no log files of its own: the set would be a mixture of two. And what that one may have replaced is no file of the
// user any more.
func TestOverwriteKeepsNothingOfAnInterruptedRestore(t *testing.T) {
	t.Parallel()
	over := archive.RestoreOptions{Overwrite: true}
	others := map[string]string{"a.1": "one", "a.2": "two", "a.3": "three"}
	store, other := archiveOf(t, `a\.[0-9]`, others)
	db, _, a := archived(t, 4)

	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	write(t, dir, "notes", "mine")
	mustInterrupt(t, store, newest(t, other), dir, over, 3)
	if !exists(dir, "a.1") {
		t.Fatal("the first restore made nothing")
	}
	res, err := a.Restore(t.Context(), newest(t, a), dir, over)
	if err != nil || !slices.Equal(res.Removed, []string{"a.1", "a.2"}) || len(res.Continued) > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	want := maps.Clone(db.files)
	want["notes"] = []byte("mine")
	compare(t, dir, want)

	dir = mkdir(t, filepath.Join(t.TempDir(), "r"))
	write(t, dir, "a.1", "mine")
	mustInterrupt(t, store, newest(t, other), dir, over, 3)
	mustRefuse(t, a, newest(t, a), dir, over, "a.1")
	all := over
	all.DeleteExtra = true
	if _, err := a.Restore(t.Context(), newest(t, a), dir, all); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, db.files)
}

// The one that overwrites may be interrupted, too: whatever ends here, no file of another restore is left.
func TestOverwriteIsInterruptedToo(t *testing.T) {
	t.Parallel()
	over := archive.RestoreOptions{Overwrite: true}
	others := map[string]string{"a.1": "one", "a.2": "two", "a.3": "three"}
	for reads := 1; ; reads++ {
		store, other := archiveOf(t, `a\.[0-9]`, others)
		db, mine, a := archived(t, 4)
		dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
		mustInterrupt(t, store, newest(t, other), dir, over, 3)
		wasCut := interruptRestore(t, mine, newest(t, a), dir, over, reads)
		if wasCut {
			if _, err := other.Restore(t.Context(), newest(t, other), dir, over); err != nil {
				t.Fatal(err)
			}
			compare(t, dir, asBytes(others))
			mustInterrupt(t, mine, newest(t, a), dir, replaceAll, reads)
		}
		if _, err := a.Restore(t.Context(), newest(t, a), dir, replaceAll); err != nil {
			t.Fatal(err)
		}
		want := maps.Clone(db.files)
		if wasCut {
			maps.Copy(want, asBytes(others)) // a complete set of the user, whose files are no log files
		}
		compare(t, dir, want)
		if !wasCut {
			return
		}
	}
}

// Another process cuts the file that a restore has just written. The file of 0 bytes does not get its name, and nothing
// is reported as checked.
func TestFileIsCutBeforeItHasItsName(t *testing.T) {
	t.Parallel()
	for _, isNew := range []bool{false, true} {
		_, _, a := archived(t, 3)
		dir := filepath.Join(t.TempDir(), "r")
		if !isNew {
			mkdir(t, dir)
		}
		cut := &onChange{func(op *disk.Op) error {
			if op.Kind == disk.Times {
				return os.Truncate(op.Path, 0)
			}
			return nil
		}}
		stop := disk.Observe(filepath.Dir(dir), cut)
		res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
		stop()
		if !errors.Is(err, archive.ErrOccupied) {
			t.Errorf("%+v, %v", res, err)
		}
		if isNew == exists(dir, archive.IncompleteMarker) || isNew && exists(dir) {
			t.Error("the target does not show that it is incomplete")
		}
	}
}

// Two restores choose the names of their temporary files by chance, so that neither opens the other's.
func TestTemporaryNamesAreRandom(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 3)
	seen := map[string]bool{}
	for range 2 {
		dir := t.TempDir()
		stop := disk.Observe(dir, &onChange{func(op *disk.Op) error {
			if op.Kind != disk.Open || op.Flag&os.O_CREATE == 0 {
				return nil
			}
			if base := filepath.Base(op.Path); seen[base] || op.Flag&os.O_EXCL == 0 {
				t.Errorf("%s was opened with %#x, again: %t", base, op.Flag, seen[base])
			} else {
				seen[base] = true
			}
			return nil
		}})
		_, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
		stop()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A pattern without a file is most likely mistyped. Beside one that matches, the file that it should name would be
// missing unnoticed.
func TestEachPatternMatches(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 4)
	m := newest(t, a)
	for _, include := range [][]string{
		{name(1), name(77)}, {name(77), name(1)}, {"*.jdb", "*.ndb"}, {name(1), ""}, {name(3) + ".." + name(1), name(1)},
	} {
		for _, isDry := range []bool{true, false} {
			parent := t.TempDir()
			o := archive.RestoreOptions{Include: include, DryRun: isDry}
			_, err := a.Restore(t.Context(), m, filepath.Join(parent, "r"), o)
			if !errors.Is(err, archive.ErrNoFile) {
				t.Errorf("%q: %v", include, err)
			}
			compare(t, parent, nil)
		}
	}
	both := archive.RestoreOptions{Include: []string{name(1), "0000000[12].jdb"}} // of a file that both match
	if res, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), both); err != nil || res.Files != 2 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A file system without a limit reports that it has 0 blocks, 0 of them free. That is no full disk.
func TestFileSystemThatReportsZeros(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	mount := mkdir(t, t.TempDir(), "unlimited")
	unmount, err := testmount.Tmpfs(mount, "size=0")
	if err != nil {
		t.Skipf("mounting a file system needs root and Linux: %v", err)
	}
	t.Cleanup(func() { _ = unmount() })
	m := newest(t, a)
	res, err := a.Restore(t.Context(), m, filepath.Join(mount, "r"), archive.RestoreOptions{DryRun: true})
	if err != nil || res.Free != -1 {
		t.Errorf("a dry run: %+v, %v", res, err)
	}
	mustRestore(t, a, 1, filepath.Join(mount, "r"), db.files)
	o := archive.DrillOptions{Scratch: mount, Database: mount}
	if _, err := a.Drill(t.Context(), m, o); err != nil {
		t.Errorf("a drill: %v", err)
	}
}

// A scratch directory such as /tmp is open to all: a directory of another user there is none of this user's drills.
func TestDrillsOfOthersStay(t *testing.T) {
	t.Parallel()
	scratch := t.TempDir()
	theirs := mkdir(t, scratch, "strongroom-drill-1")
	write(t, theirs, "lock", "")
	mine := mkdir(t, scratch, "strongroom-drill-2")
	write(t, mine, "lock", "")
	if err := os.Chown(theirs, 12345, 12345); err != nil {
		t.Skip("only root gives a directory to another user")
	}
	old := time.Now().Add(-time.Hour)
	for _, dir := range []string{theirs, mine} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	archive.ClearDrills(scratch)
	if !exists(theirs) || exists(mine) {
		t.Errorf("another user's directory is there: %t, this user's: %t", exists(theirs), exists(mine))
	}
}
