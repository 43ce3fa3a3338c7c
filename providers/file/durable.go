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

// Log files may have any content, so only their owner and its group may read them.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// tree is a directory in which files are created durably and atomically.
//
// The system calls of a Put of data/x/y below /backups, on Linux:
//
//	mkdirat   /backups/.~strongroom                    (the first time)
//	openat    /backups/.~strongroom/put-<host>-<pid>-<random>  O_CREAT|O_EXCL
//	fchmod    0640
//	write …   256 KiB each, hashed while they are written
//	fsync
//	close
//	linkat    → /backups/data/x/y                      fails with EEXIST if it exists
//	mkdirat   /backups/data, /backups/data/x           (only if linkat returned ENOENT)
//	openat, fsync, close   /backups/data/x, /backups/data, /backups
//	unlinkat  /backups/.~strongroom/put-…
//
// and once for each tree, after its first file, fsync of the directories above it. If the file system has
// no hard links, renameat2 with RENAME_NOREPLACE replaces linkat. A crash at any point leaves either no object
// or a complete one. It may leave a temporary file, which Sweep, or the first Put of a later process on this
// host, removes. All calls are relative to the directory that tree keeps open (root.go), whatever the path
// names by then.
//
// Each Put syncs all directories on the path, not only those that it created: another process may have created
// one and not have synced it yet. To sync an unchanged directory takes microseconds.
type tree struct {
	root     string
	anchored atomic.Bool // the directories above the root are durable
	noLinks  atomic.Bool // the file system has no hard links
	swept    sync.Once   // sweepFirst has run

	mu    sync.Mutex
	held  *disk.Root  // the open directory; nil if it is closed or was not opened yet
	is    fs.FileInfo // the identity of held
	users int         // running operations and active Holds
	lent  bool        // Hold was called: held is closed whenever users is 0
}

// errNoCreateOnly is reported if neither link nor renameat2 works.
var errNoCreateOnly = errors.New("this file system has neither hard links nor renameat2; " +
	"without them, one writer could overwrite the object of another")

// tempFile creates a temporary file in the hidden directory.
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

// write creates a durable temporary file with the content of r and returns its name. On an error it removes
// the file.
func (t *tree) write(ctx context.Context, root *disk.Root, r io.Reader) (string, error) {
	f, name, err := tempFile(root)
	if err != nil {
		return "", fmt.Errorf("creating a temporary file: %w", err)
	}
	if err = cloud.CopyBody(ctx, f, r); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		root.Remove(name) // if this fails, a later process removes it
		return "", err
	}
	return name, nil
}

// create gives a durable temporary file its final name. If that name exists, it returns fs.ErrExist. The
// temporary name may no longer exist afterwards.
func (t *tree) create(root *disk.Root, temp, name string) error {
	const patience = 100 // retries if Deletes that remove emptied directories run concurrently
	for range patience {
		err := t.link(root, temp, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := root.Lstat(temp); err != nil {
			return fmt.Errorf("the temporary file was removed by another program: %w", err)
		}
		if err := root.MkdirAll(path.Dir(name), dirMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: other processes keep removing its directory", name)
}

func (t *tree) link(root *disk.Root, temp, name string) error {
	if !t.noLinks.Load() {
		err := root.Link(temp, name)
		if !unsupported(err) {
			return explainMount(err)
		}
		t.noLinks.Store(true)
	}
	err := root.RenameNew(temp, name)
	if unsupported(err) {
		return errNoCreateOnly
	}
	return explainMount(err)
}

// explainMount adds the remedy to the error of a link into another file system.
func explainMount(err error) error {
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("%w; unmount the other file system within the archive's directory", err)
	}
	return err
}

// unsupported reports whether a file system does not support the call.
func unsupported(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// syncUp makes the entries of a directory durable, and those of all directories on the path to it.
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
	// Above the archive's directory nothing changes later. This user did not create a directory
	// there that it may not open.
	for above := t.root; above != filepath.Dir(above); {
		above = filepath.Dir(above)
		d, err := disk.OpenDir(above)
		err = syncDir(d, err)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) && !disk.CannotSync(err) {
			return err
		}
	}
	t.anchored.Store(true)
	return nil
}

// syncDir makes the entries of a directory durable, and closes it. d and err are the results of opening it.
func syncDir(d *disk.File, err error) error {
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a Delete has removed the object and the emptied directory
		}
		return err
	}
	defer d.Close()
	return d.Sync()
}

// pruneDirs removes the empty directories above a deleted file, up to the root.
func pruneDirs(root *disk.Root, dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			return // most likely it is not empty; an empty directory does no harm
		}
	}
}
