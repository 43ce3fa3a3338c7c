package archive_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// interruptRestore begins a restore and interrupts it at a read with the given index. It reports
// whether the restore came that far.
func interruptRestore(t *testing.T, store store.Store, m *manifest.Manifest, dir string, o archive.RestoreOptions, reads int,
) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := archive.New(&atGet{Store: store, left: reads, f: cancel}, archive.Options{Transfers: 1})
	if _, err := a.Restore(ctx, m, dir, o); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return ctx.Err() != nil
}

// A restore is interrupted, a newer snapshot is made, without a file that the cleaner has deleted,
// and the same command runs again. It makes the newer set, and the files of the first attempt do
// not block it: in an emergency the operator need not find out which files to remove.
func TestRestoreContinuesWithANewerSnapshot(t *testing.T) {
	t.Parallel()
	const some = "0000000[0-3].jdb"
	over, remove := archive.RestoreOptions{Overwrite: true}, archive.RestoreOptions{Overwrite: true, DeleteExtra: true}
	for what, k := range map[string]struct {
		o      archive.RestoreOptions
		before map[string]string // nil: the directory does not exist
	}{
		"new":                      {},
		"new, a few files":         {o: archive.RestoreOptions{Include: []string{some}}},
		"empty":                    {before: map[string]string{}},
		"empty, a few files":       {o: archive.RestoreOptions{Include: []string{some}}, before: map[string]string{}},
		"occupied":                 {o: over, before: map[string]string{name(1): "other", "x": "mine"}},
		"occupied, extra log file": {o: remove, before: map[string]string{name(99): "other"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for reads, wasCut := 1, true; wasCut; reads++ {
				db, store, a := archived(t, 5)
				dir := filepath.Join(t.TempDir(), "r")
				if k.before != nil {
					mkdir(t, dir)
				}
				for n, content := range k.before {
					write(t, dir, n, content)
				}
				if wasCut = interruptRestore(t, store, newest(t, a), dir, k.o, reads); !wasCut {
					break
				}
				db.remove(name(0))
				db.grow(100)
				db.flip(100)
				mustBackup(t, a, db)
				if _, err := a.Restore(t.Context(), newest(t, a), dir, k.o); err != nil {
					t.Fatalf("before read %d: %v", reads, err)
				}
				want := maps.Clone(db.files)
				if k.o.Include != nil {
					maps.DeleteFunc(want, func(n string, _ []byte) bool { return n > name(3) })
				}
				if k.before["x"] != "" {
					want["x"] = []byte("mine")
				}
				compare(t, dir, want)
			}
		})
	}
}

// Another restore may not remove the files that the interrupted restore was allowed to remove.
func TestExtraLogFilesAreNotTakenForLeftovers(t *testing.T) {
	t.Parallel()
	_, store, a := archived(t, 4)
	dir := mkdir(t, filepath.Join(t.TempDir(), "r"))
	write(t, dir, name(99), "mine")
	o := archive.RestoreOptions{Overwrite: true, DeleteExtra: true}
	if !interruptRestore(t, store, newest(t, a), dir, o, 2) {
		t.Fatal("the restore has ended")
	}
	o.DeleteExtra = false
	_, err := a.Restore(t.Context(), newest(t, a), dir, o)
	if !errors.Is(err, archive.ErrOccupied) || !contains(err, name(99)) {
		t.Fatal(err)
	}
}

// One file of another snapshot is restored over a set, and that is interrupted: the files of the
// set are the user's, whatever a newer snapshot has.
func TestSetAroundAnInterruptedFileStays(t *testing.T) {
	t.Parallel()
	db, store, a := archived(t, 4)
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 1, dir, db.files)
	write(t, dir, name(1), "damaged")
	o := archive.RestoreOptions{Overwrite: true, Include: []string{name(1)}}
	if !interruptRestore(t, store, newest(t, a), dir, o, 1) {
		t.Fatal("the restore has ended")
	}
	db.remove(name(0))
	db.flip(100)
	mustBackup(t, a, db)
	_, err := a.Restore(t.Context(), newest(t, a), dir, o)
	if !errors.Is(err, archive.ErrOccupied) || !contains(err, name(0)) {
		t.Fatal(err)
	}
}

// A restore may be killed while it writes its mark, which is then empty, cut, or longer than it
// should be. Where nothing else lies there, no file can be lost: the restore goes on.
func TestMarkThatWasCut(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)
	cut := fmt.Sprintf(`{"archive":%q,"sequence":%d,"no`, m.Archive, m.Sequence)
	for _, text := range []string{"", cut} {
		for _, o := range []archive.RestoreOptions{{}, {Include: []string{"*.jdb"}}} {
			dir := t.TempDir()
			write(t, dir, archive.IncompleteMarker, text)
			if _, err := a.Restore(t.Context(), m, dir, o); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			compare(t, dir, db.files)
		}
		dir := t.TempDir()
		write(t, dir, archive.IncompleteMarker, text)
		write(t, dir, name(1), "mine")
		if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrOccupied) {
			t.Fatalf("%q beside another file: %v", text, err)
		}
	}
	dir := t.TempDir()
	write(t, dir, name(1), string(db.files[name(1)]))
	write(t, dir, archive.IncompleteMarker, strings.TrimSuffix(cut, `,"no`)+"}\nd of an older one\"}\n")
	if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); err != nil {
		t.Fatalf("with the end of a longer mark: %v", err)
	}
	compare(t, dir, db.files)
}

// A dry run refuses and accepts what the restore does.
func TestPreviewOfWhatIsContinued(t *testing.T) {
	t.Parallel()
	db, store, a := archived(t, 4)
	dir := t.TempDir()
	if !interruptRestore(t, store, newest(t, a), dir, archive.RestoreOptions{}, 3) {
		t.Fatal("the restore has ended")
	}
	db.remove(name(0))
	db.flip(100)
	mustBackup(t, a, db)
	if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{DryRun: true}); err != nil {
		t.Fatal(err)
	}
}

// A restore that is killed between its last file and the directory's name leaves a complete set
// without a mark. The mark beside it shows that it is from a restore, so that a restore of a newer
// snapshot may use it, and nothing stays there.
func TestInterruptedBeforeTheName(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 1, dir+archive.PartialSuffix, db.files)
	beside := filepath.Base(dir) + archive.CompleteSuffix
	mark := fmt.Sprintf(`{"archive":%q,"sequence":%d}`, m.Archive, m.Sequence)
	db.remove(name(0))
	db.flip(100)
	mustBackup(t, a, db)

	write(t, filepath.Dir(dir), beside, mark[:10]) // this mark was not needed: the other one existed
	none := archive.RestoreOptions{}
	if _, err := a.Restore(t.Context(), newest(t, a), dir, none); !errors.Is(err, archive.ErrOccupied) {
		t.Fatal(err)
	}
	write(t, filepath.Dir(dir), beside, mark)
	for range 2 { // the second finds all of it there
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
			t.Errorf("%v, %v", entries, err)
		}
		write(t, filepath.Dir(dir), beside, mark) // killed right after the directory got its name
	}
}
