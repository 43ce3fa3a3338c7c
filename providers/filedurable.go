package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Log files may hold anything: nobody but their owner and his group gets to see them.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// tree is a directory in which files are made durably, each at once or not at all.
//
// The system calls of a Put of data/x/y below /backups, on Linux:
//
//	mkdirat   /backups/.~strongroom                    (the first time)
//	openat    /backups/.~strongroom/put-<host>-<pid>-<random>  O_CREAT|O_EXCL
//	fchmod    0640
//	write …   256 KiB each, hashed as they go by
//	fsync
//	close
//	linkat    → /backups/data/x/y                      fails with EEXIST when it is there
//	mkdirat   /backups/data, /backups/data/x           (only when linkat said ENOENT)
//	openat, fsync, close   /backups/data/x, /backups/data, /backups
//	unlinkat  /backups/.~strongroom/put-…
//
// and once for each tree, after its first file, fsync of the directories above it. Where
// the file system has no hard links, renameat2 with RENAME_NOREPLACE takes the place of
// linkat. A crash at any point leaves either no object or a whole one, and perhaps a
// temporary file, which Sweep removes.
//
// All directories on the way are synced each time, not just the ones that this Put made:
// another process may have made one a moment ago and not have synced it yet. One that
// did not change costs microseconds.
type tree struct {
	root     string
	anchored atomic.Bool // the directories above the root are durable
	noLinks  atomic.Bool // the file system said that it has none
}

// errNoCreateOnly: neither link nor renameat2 works here.
var errNoCreateOnly = errors.New("this file system has neither hard links nor renameat2, without which two writers cannot be kept apart")

// temp makes a temporary file outside of what listings show.
func (t *tree) temp() (*os.File, error) {
	dir := filepath.Join(t.root, hidden)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, tempPrefix()+"*")
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(fileMode); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// write makes a durable temporary file of what r gives and returns its name. On an error
// there is none.
func (t *tree) write(ctx context.Context, r io.Reader) (name string, err error) {
	f, err := t.temp()
	if err != nil {
		return "", fmt.Errorf("making a temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close() // a second time at worst
			os.Remove(f.Name())
		}
	}()
	if err := pour(ctx, f, r); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// create gives a durable temporary file its name, unless there is one of that name:
// then the error is fs.ErrExist. The temporary name may be gone afterwards.
func (t *tree) create(temp, name string) error {
	const patience = 100 // of a race with a Delete that removes emptied directories
	for range patience {
		err := t.link(temp, name)
		if errors.Is(err, unix.EXDEV) {
			return fmt.Errorf("%w; no other file system may be mounted within an archive's directory", err)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := os.Lstat(temp); err != nil {
			return fmt.Errorf("somebody removed the temporary file: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(name), dirMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: its directory is removed again and again", name)
}

func (t *tree) link(temp, name string) error {
	if !t.noLinks.Load() {
		err := os.Link(temp, name)
		if !unsupported(err) {
			return err
		}
		t.noLinks.Store(true)
	}
	err := renameNoReplace(temp, name)
	if unsupported(err) {
		return errNoCreateOnly
	}
	return err
}

// unsupported reports whether a file system does not know the call at all.
func unsupported(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// syncUp makes the entries of a directory durable, and those that lead to it.
func (t *tree) syncUp(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		if err := t.syncDir(dir); err != nil {
			return err
		}
		if dir == t.root || dir == filepath.Dir(dir) {
			break
		}
	}
	if t.anchored.Load() {
		return nil
	}
	// Above the archive's directory nothing changes later. What may not be opened
	// there was not made by this user.
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		if err := t.syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	t.anchored.Store(true)
	return nil
}

func (t *tree) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // emptied and removed by a Delete, with the object in it
		}
		return err
	}
	defer d.Close()
	return d.Sync()
}

// prune removes the directories above a deleted file that are empty, up to the root.
func (t *tree) prune(dir string) {
	for ; dir != t.root && strings.HasPrefix(dir, t.root); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return // not empty, most likely; an empty directory does no harm
		}
	}
}
