package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
)

// unsafeFiles are what makes a file with the right content unsafe to keep in a restored set.
var unsafeFiles = map[string]func(path, outside string) error{
	"a second name":                func(path, outside string) error { return os.Link(path, outside) },
	"another owner":                func(path, _ string) error { return os.Chown(path, 12345, 12345) },
	"a group that may write":       func(path, _ string) error { return os.Chmod(path, 0o660) },
	"all users may write":          func(path, _ string) error { return os.Chmod(path, 0o666) },
	"setuid":                       func(path, _ string) error { return os.Chmod(path, 0o700|os.ModeSetuid) },
	"setgid":                       func(path, _ string) error { return os.Chmod(path, 0o640|os.ModeSetgid) },
	"its owner may not write":      func(path, _ string) error { return os.Chmod(path, 0o400) },
	"a link to a file of this set": func(path, outside string) error { return moveAndLink(path, outside) },
}

// moveAndLink moves a file away, and leaves a symbolic link to it.
func moveAndLink(path, outside string) error {
	return errors.Join(os.Rename(path, outside), os.Symlink(outside, path))
}

// A process outside the restored set could change a file that was kept only for its content, or the database could
// change another file by it. So such a file is replaced, and the file outside keeps its content.
func TestFilesThatOthersShareAreReplaced(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	m := newest(t, a)
	for what, prepare := range unsafeFiles {
		for _, isWhole := range []bool{true, false} { // a set that is complete is not opened for writing otherwise
			dir, outside := filepath.Join(t.TempDir(), "r"), filepath.Join(t.TempDir(), "other")
			mustRestore(t, a, 1, dir, db.files)
			path := filepath.Join(dir, name(1))
			if err := prepare(path, outside); errors.Is(err, os.ErrPermission) {
				continue // only root gives a file to another user
			} else if err != nil {
				t.Fatal(err)
			}
			if !isWhole {
				if err := os.Remove(filepath.Join(dir, name(0))); err != nil {
					t.Fatal(err)
				}
			}
			before := inode(t, path)
			res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Overwrite: true})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if res.Skipped+res.Fetched+res.Replaced != res.Files || res.Replaced+res.Fetched == 0 {
				t.Errorf("%s: %+v", what, res)
			}
			compare(t, dir, db.files)
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if st.Ino == before || st.Nlink != 1 || int(st.Uid) != os.Geteuid() || info.Mode() != 0o600 {
				t.Errorf("%s: inode %d (before: %d), %d names, user %d, mode %v",
					what, st.Ino, before, st.Nlink, st.Uid, info.Mode())
			}
			if b, err := os.ReadFile(outside); err == nil && string(b) != string(db.files[name(1)]) {
				t.Errorf("%s: the other file was changed", what)
			}
		}
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// A file of the restored set that an operator made readable for a group is kept: that is no danger, and a large set is
// not copied for it.
func TestFilesThatOthersReadAreKept(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 1, dir, db.files)
	for _, isWhole := range []bool{true, false} {
		for n := range db.files {
			if err := os.Chmod(filepath.Join(dir, n), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		if !isWhole {
			write(t, dir, name(0), "wrong")
		}
		res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Overwrite: true})
		if err != nil || res.Replaced != 0 || isWhole && res.Fetched != 0 || !isWhole && res.Fetched != 1 {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// A restored directory was given to the database's user, or was copied with hard links, and the same command runs
// again without Overwrite. The first is the end of a restore that succeeded. The second is no restore's work: what the
// other names lead to would change with the database.
func TestRepeatedRestoreWithoutOverwrite(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 1, dir, db.files)
	err := os.Chown(dir, 12345, 12345)
	for n := range db.files {
		err = errors.Join(err, os.Chown(filepath.Join(dir, n), 12345, 12345))
	}
	if errors.Is(err, os.ErrPermission) {
		t.Log("only root gives a directory to another user")
	} else if err != nil {
		t.Fatal(err)
	}
	if res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); err != nil || res.Skipped != res.Files {
		t.Errorf("%+v, %v", res, err)
	}
	if err := os.Link(filepath.Join(dir, name(0)), filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
	_, err = a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
	if !errors.Is(err, archive.ErrOccupied) {
		t.Error(err)
	}
}
