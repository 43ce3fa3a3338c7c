package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// alter changes a file that lies in a directory, and leaves its size and times.
func alter(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// A file that lies in a target already is right if its hash is, and not because it has the right
// size and time: one that was preallocated, one of another node, or one that rot has touched has
// these too, and a database would be opened on it.
func TestRestoreReplacesAFileOfTheSameSize(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)

	complete := filepath.Join(t.TempDir(), "complete")
	mustRestore(t, a, 1, complete, db.files)
	alter(t, filepath.Join(complete, name(1)))
	res, err := a.Restore(t.Context(), m, complete, archive.RestoreOptions{Overwrite: true})
	if err != nil || res.Fetched != 1 || res.Skipped != len(db.files)-1 {
		t.Errorf("%+v, %v", res, err)
	}
	compare(t, complete, db.files)

	// An interrupted restore left its partial directory, and rot touched a file in it.
	dir := filepath.Join(t.TempDir(), "r")
	partial := dir + archive.PartialSuffix
	mustRestore(t, a, 1, partial, db.files)
	alter(t, filepath.Join(partial, name(2)))
	write(t, partial, archive.IncompleteMarker, "{}")
	if res, err = a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); err != nil || res.Fetched != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	compare(t, dir, db.files)
}

// A repair restores an object only from content with its hash. A file of the database that was
// rewritten since, or an object of a copy that rot has touched, has the same size. Stored under the
// name of the lost object, it would be restored one day, and no verify of sizes would notice.
func TestRepairPassesOverWhatHasTheSameSize(t *testing.T) {
	t.Parallel()
	db, store, a := archived(t, 4)
	key := newest(t, a).Files[1].Parts[0].Object
	copied := storetest.Memory(t)
	mustCopy(t, store, copied)
	store.Remove(key)

	copied.Damage(key, storetest.FlipBit(500))
	db.rewrite(name(1))
	for what, from := range map[string]*archive.RepairFrom{
		"source": {Source: db.source()},
		"copy":   {Copies: []*archive.Archive{archive.New(copied, archive.Options{})}},
	} {
		r := mustRepair(t, store, from)
		if len(r.Problems) != 1 || len(r.Repaired) > 0 || len(store.Keys(key)) > 0 {
			t.Errorf("%s: %+v", what, r)
		}
	}

	copied.Damage(key, storetest.FlipBit(500)) // back again
	if r := mustRepair(t, store, &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}}); len(r.Problems) > 0 {
		t.Errorf("%+v", r)
	}
}

// A copy is made for the day on which the source is lost. An object of the source that rot has
// touched keeps its size: sent on as it is, it would spoil the only other place.
func TestCopyPassesOverWhatHasTheSameSize(t *testing.T) {
	t.Parallel()
	_, store, a := archived(t, 4)
	key := newest(t, a).Files[1].Parts[0].Object
	good := bytes.Clone(store.Snapshot().Bytes(key))
	store.Damage(key, storetest.FlipBit(500))
	store.TolerateMismatch = true

	to := storetest.Memory(t)
	to.TolerateMismatch = true
	copyNow := func() (*archive.CopyReport, error) {
		return archive.Copy(t.Context(), archive.New(store, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{})
	}
	if r, err := copyNow(); err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key || len(to.Keys(manifest.ManifestsPrefix)) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if len(to.Keys(key)) > 0 {
		t.Errorf("what rot made of %s was sent", key)
	}

	// An object in the target under that key, with the right size, is not taken for the sent one.
	store.Replace(key, good)
	to.Replace(key, flipped(good))
	if _, err := copyNow(); err == nil {
		t.Error("another object of the same size was adopted")
	}
}
