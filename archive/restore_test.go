package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/testmount"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func archived(t *testing.T, files int) (*database, *storetest.InMemory, *archive.Archive) {
	db := newDatabase(t, t.TempDir(), 40)
	db.fill(files, 1000)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{Transfers: 2})
	mustBackup(t, a, db)
	return db, store, a
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An occupied target is refused and left alone; with Overwrite what is right is kept and
// the rest made right; other log files are a danger and are only removed on request.
func TestOccupiedTarget(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)
	dir := t.TempDir()
	write(t, dir, "notes.txt", "mine")
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrOccupied) || !contains(err, "notes.txt") {
		t.Fatalf("%v", err)
	}
	compare(t, dir, map[string][]byte{"notes.txt": []byte("mine")})

	write(t, dir, name(0), string(db.files[name(0)]))
	write(t, dir, name(1), "wrong")
	write(t, dir, name(99), "of another time")
	over := archive.RestoreOptions{Overwrite: true}
	if _, err := a.Restore(context.Background(), m, dir, over); !errors.Is(err, archive.ErrOccupied) || !contains(err, name(99)) {
		t.Fatalf("%v", err)
	}
	over.DeleteExtra = true
	res, err := a.Restore(context.Background(), m, dir, over)
	if err != nil || res.Fetched != 3 || res.Skipped != 1 || !slices.Equal(res.Removed, []string{name(99)}) {
		t.Fatalf("%+v, %v", res, err)
	}
	db.files["notes.txt"] = []byte("mine")
	compare(t, dir, db.files)
}

// Where a pattern defines log files, which the archive does not record, a stray log file is
// recognised by its similar name, and dissimilar files are left alone.
func TestOccupiedTargetOfAPattern(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 4)
	m := *newest(t, a)
	m.Layout = "segments"
	dir := t.TempDir()
	for _, n := range []string{"notes.txt", "je.lck", name(0xfffffff), name(0xabcdef12)} {
		write(t, dir, n, "mine")
	}
	over := archive.RestoreOptions{Overwrite: true}
	if _, err := a.Restore(context.Background(), &m, dir, over); !errors.Is(err, archive.ErrOccupied) || !contains(err, name(0xfffffff)) {
		t.Fatalf("%v", err)
	}
	over.DeleteExtra = true
	res, err := a.Restore(context.Background(), &m, dir, over)
	if err != nil || !slices.Equal(res.Removed, []string{name(0xfffffff), name(0xabcdef12)}) {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, n := range []string{"notes.txt", "je.lck"} {
		if b, err := os.ReadFile(filepath.Join(dir, n)); err != nil || string(b) != "mine" {
			t.Errorf("%s: %q, %v", n, b, err)
		}
	}
}

// An empty directory that exists, such as a mount point, is restored into.
func TestEmptyTarget(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	dir := t.TempDir()
	mustRestore(t, a, 1, dir, db.files)
}

// A second restore into the same target does not mix with the first.
func TestConcurrentRestores(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, store, a := archived(t, 3)
		dir := filepath.Join(t.TempDir(), "r")
		m := newest(t, a)
		inside := &duringGet{Store: store, f: func() {
			_, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{})
			if !errors.Is(err, archive.ErrOccupied) {
				t.Errorf("the second restore: %v", err)
			}
		}}
		if _, err := archive.New(inside, archive.Options{Transfers: 1}).Restore(context.Background(), m, dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

type duringGet struct {
	store.Store
	f func()
}

func (d *duringGet) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if f := d.f; f != nil {
		d.f = nil
		f()
	}
	return d.Store.Get(ctx, key, offset, length)
}

// Links that lie in the target lead nowhere outside of it.
func TestSymlinksInTheTarget(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	outside := t.TempDir()
	write(t, outside, "victim", "untouched")
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "victim"), filepath.Join(dir, name(0))); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(context.Background(), newest(t, a), dir, archive.RestoreOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, db.files)
	compare(t, outside, map[string][]byte{"victim": []byte("untouched")})

	// A marker that is a link outwards is not written through.
	trap := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "victim"), filepath.Join(trap, archive.IncompleteMarker)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(context.Background(), newest(t, a), trap, archive.RestoreOptions{Overwrite: true}); err == nil {
		t.Fatal("restored through a link")
	}
	compare(t, outside, map[string][]byte{"victim": []byte("untouched")})
}

// smallDisk mounts a file system of 64 KiB for the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	mount := filepath.Join(t.TempDir(), "small")
	mkdir(t, mount)
	unmount, err := testmount.Tmpfs(mount, "size=64k")
	if err != nil {
		t.Skipf("mounting a small file system needs root and Linux: %v", err)
	}
	t.Cleanup(func() { _ = unmount() })
	return mount
}

// A full disk fails the restore with the needed space, before it starts where that can be known,
// and the target does not exist.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		mount := smallDisk(t)
		db := newDatabase(t, t.TempDir(), 41)
		db.fill(4, 50_000)
		a := archive.New(storetest.Memory(t), archive.Options{})
		mustBackup(t, a, db)
		dir := filepath.Join(mount, "r")
		_, err := a.Restore(context.Background(), newest(t, a), dir, archive.RestoreOptions{})
		if !errors.Is(err, archive.ErrNoSpace) || !contains(err, "MiB more") {
			t.Fatalf("%v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the target is there: %v", err)
		}
		// Something else takes the space while the restore runs.
		small := newDatabase(t, t.TempDir(), 42)
		small.fill(3, 10_000)
		store := storetest.Memory(t)
		b := archive.New(store, archive.Options{})
		mustBackup(t, b, small)
		os.RemoveAll(dir + archive.PartialSuffix)
		thief := &duringGet{Store: store, f: func() { write(t, mount, "thief", strings.Repeat("x", 55_000)) }}
		m := newest(t, b)
		_, err = archive.New(thief, archive.Options{Transfers: 1}).Restore(context.Background(), m, dir, archive.RestoreOptions{})
		if !errors.Is(err, archive.ErrNoSpace) {
			t.Fatalf("%v", err)
		}
		if err := os.Remove(filepath.Join(mount, "thief")); err != nil {
			t.Fatal(err)
		}
		mustRestore(t, b, 1, dir, small.files)
	})
}

func TestInclude(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 5)
	m := newest(t, a)
	dir := filepath.Join(t.TempDir(), "r")
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{Include: []string{"0000000[13].jdb"}}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, map[string][]byte{name(1): db.files[name(1)], name(3): db.files[name(3)]})
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{Include: []string{"nothing"}}); !errors.Is(err, archive.ErrNoFile) {
		t.Fatalf("%v", err)
	}
	res, err := a.Restore(context.Background(), m, filepath.Join(dir, "x"), archive.RestoreOptions{DryRun: true})
	if err != nil || res.Files != 5 || res.Requests != 5 || res.Bytes != m.Counts.Bytes {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x"+archive.PartialSuffix)); err == nil {
		t.Fatal("a dry run left something")
	}
}

// Hostile manifests are refused before anything is written. (What is refused and why is
// tested with the format; this is about where.)
func TestHostileManifest(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, store, _ := archived(t, 3)
		key := manifest.ManifestKey(1)
		good := string(store.Snapshot().Bytes(key))
		for what, bad := range map[string]string{
			"dots":      strings.ReplaceAll(good, name(0), "../../../evil"),
			"absolute":  strings.ReplaceAll(good, name(0), "/tmp/evil"),
			"backslash": strings.ReplaceAll(good, name(0), `a\\evil`),
			"twice":     strings.ReplaceAll(good, name(0), name(1)),
			"cut":       good[:len(good)/2],
			"huge":      strings.Replace(good, `"size":1`, `"size":922337203685477580`, 1),
			"deep":      strings.Replace(good, `"node":`, `"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"node":`, 1),
		} {
			store.Replace(key, []byte(bad))
			a := archive.New(store, archive.Options{})
			parent := t.TempDir()
			err := restoreNewest(a, filepath.Join(parent, "r"))
			if !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("%s: %v", what, err)
			}
			compare(t, parent, nil)
		}
	})
}

// A restore builds upon an interrupted restore of another snapshot beside the target, and removes
// its files that do not belong to the new snapshot.
func TestPartialOfAnotherSnapshot(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	dir := filepath.Join(t.TempDir(), "r")
	partial := mkdir(t, dir+archive.PartialSuffix)
	write(t, partial, name(0), string(db.files[name(0)]))
	write(t, partial, name(77), "of another snapshot")
	m := newest(t, a)
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrOccupied) {
		t.Fatalf("an unmarked directory was taken for one of a restore: %v", err)
	}
	write(t, partial, archive.IncompleteMarker, `{"archive":"x","sequence":9}`)
	write(t, partial, ".strongroom-0123456789abcdef.tmp", "half")
	res, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{})
	if err != nil || res.Skipped != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	compare(t, dir, db.files)
}

// Repeating a complete restore writes nothing. A part of the set may be restored again beside the
// rest.
func TestRestoreAgain(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 4)
	m := newest(t, a)
	dir := filepath.Join(t.TempDir(), "r")
	for _, fetched := range []int{4, 0} {
		res, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{})
		if err != nil || res.Fetched != fetched {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	write(t, dir, name(2), "overwritten by another program")
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrOccupied) {
		t.Fatalf("%v", err)
	}
	one := archive.RestoreOptions{Include: []string{name(2)}, Overwrite: true, DeleteExtra: true}
	if res, err := a.Restore(context.Background(), m, dir, one); err != nil || res.Fetched != 1 || len(res.Removed) != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	compare(t, dir, db.files)
}

// A link in the place of the partial directory is not followed, and nothing behind it is
// touched.
func TestPartialIsALink(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 3)
	outside := t.TempDir()
	write(t, outside, "thesis", "untouched")
	dir := filepath.Join(t.TempDir(), "r")
	if err := os.Symlink(outside, dir+archive.PartialSuffix); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(context.Background(), newest(t, a), dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrOccupied) {
		t.Fatalf("%v", err)
	}
	compare(t, outside, map[string][]byte{"thesis": []byte("untouched")})
}

// The lost+found of a new file system does not make a mount point an occupied one.
func TestRestoreBesideLostAndFound(t *testing.T) {
	t.Parallel()
	h, _ := witnessed(t, 3)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o000); err != nil {
		t.Fatal(err)
	}
	a := archive.New(h.store, archive.Options{})
	if _, err := a.Restore(context.Background(), newest(t, a), dir, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, h.db.files)
}

// A refused target stays as it was, without a mark; and a dry run reports the refusal, too.
func TestRefusedTargetIsNotMarked(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 4)
	a := archive.New(h.store, archive.Options{})
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 2, dir, h.want[2])
	m, err := a.Snapshot(context.Background(), archive.Selector{Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{Overwrite: true, DryRun: dry}); !errors.Is(err, archive.ErrOccupied) {
			t.Fatalf("dry run %t: %v", dry, err)
		}
		compare(t, dir, h.want[2])
	}
	res, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{Overwrite: true, DeleteExtra: true, DryRun: true})
	if err != nil || len(res.Removed) != len(h.want[2])-len(h.want[1]) {
		t.Fatalf("would remove %q, %v", res.Removed, err)
	}
	compare(t, dir, h.want[2])
}
