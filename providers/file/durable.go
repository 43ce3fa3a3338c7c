package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
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
// temporary file, which the first Put of a later process on this host removes, or Sweep. All of
// it goes through the directory that tree holds (fileroot.go), whatever its path names by then.
//
// All directories on the way are synced each time, not just the ones that this Put made:
// another process may have made one a moment ago and not have synced it yet. One that
// did not change costs microseconds.
type tree struct {
	root     string
	anchored atomic.Bool // the directories above the root are durable
	noLinks  atomic.Bool // the file system said that it has none
	swept    sync.Once   // of the temporary files of killed processes

	mu    sync.Mutex
	held  *disk.Root  // the directory, once it was found; nil: not yet, or let go of
	is    fs.FileInfo // which one that is
	users int         // operations under way, and calls of Hold
	lent  bool        // Hold was called: between those nothing is held
}

// errNoCreateOnly: neither link nor renameat2 works here.
var errNoCreateOnly = errors.New("this file system has neither hard links nor renameat2, without which two writers cannot be kept apart")

// tempFile makes a temporary file outside of what listings show.
func tempFile(root *disk.Root) (f *disk.File, name string, err error) {
	if err := root.MkdirAll(hidden, dirMode); err != nil {
		return nil, "", err
	}
	name = path.Join(hidden, tempPrefix()+strings.ToLower(rand.Text()[:12]))
	f, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	if err := f.Chmod(fileMode); err != nil {
		return nil, "", errors.Join(err, f.Close(), root.Remove(name))
	}
	return f, name, nil
}

// write makes a durable temporary file of what r gives and returns its name. On an error
// there is none.
func (t *tree) write(ctx context.Context, root *disk.Root, r io.Reader) (string, error) {
	f, name, err := tempFile(root)
	if err != nil {
		return "", fmt.Errorf("making a temporary file: %w", err)
	}
	if err = cloud.CopyBody(ctx, f, r); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		root.Remove(name) // a later process finds it where this fails
		return "", err
	}
	return name, nil
}

// create gives a durable temporary file its name, unless there is one of that name:
// then the error is fs.ErrExist. The temporary name may be gone afterwards.
func (t *tree) create(root *disk.Root, temp, name string) error {
	const patience = 100 // of a race with a Delete that removes emptied directories
	for range patience {
		err := t.link(root, temp, name)
		if errors.Is(err, unix.EXDEV) {
			return fmt.Errorf("%w; no other file system may be mounted within an archive's directory", err)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := root.Lstat(temp); err != nil {
			return fmt.Errorf("somebody removed the temporary file: %w", err)
		}
		if err := root.MkdirAll(path.Dir(name), dirMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: its directory is removed again and again", name)
}

func (t *tree) link(root *disk.Root, temp, name string) error {
	if !t.noLinks.Load() {
		err := root.Link(temp, name)
		if !unsupported(err) {
			return err
		}
		t.noLinks.Store(true)
	}
	err := root.RenameNew(temp, name)
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
func (t *tree) syncUp(root *disk.Root, dir string) error {
	for ; ; dir = path.Dir(dir) {
		d, err := root.Open(dir)
		if err := syncDir(d, err); err != nil {
			return err
		}
		if dir == "." {
			break
		}
	}
	if t.anchored.Load() {
		return nil
	}
	// Above the archive's directory nothing changes later. What may not be opened
	// there was not made by this user.
	for above := t.root; above != filepath.Dir(above); {
		above = filepath.Dir(above)
		d, err := disk.OpenDir(above)
		err = syncDir(d, err)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) && !hasNoSync(err) {
			return err
		}
	}
	t.anchored.Store(true)
	return nil
}

// hasNoSync reports whether a file system has no fsync at all. EROFS is not that: a file system
// that is mounted to be read returns success, and EROFS once an error of its disk has aborted it.
func hasNoSync(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) }

// syncDir makes the entries of a directory durable that was opened, unless that failed.
func syncDir(d *disk.File, err error) error {
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // emptied and removed by a Delete, with the object in it
		}
		return err
	}
	defer d.Close()
	return d.Sync()
}

// pruneDirs removes the directories above a deleted file that are empty, up to the root.
func pruneDirs(root *disk.Root, dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			return // not empty, most likely; an empty directory does no harm
		}
	}
}
