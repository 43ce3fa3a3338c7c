package restoredir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// Two locks keep a second restore away. The directory itself has a lock of flock(2), which is held from Open on and
// works on one host. The marker has a lock of fcntl(2), since NFS passes those to the server in each version and on
// each system; a lock of flock(2) on a directory stays on its host. The marker exists as long as a restore needs the
// lock, so no lock file is left beside a complete set.
//
// A file system may have no locks, or keep them on one host. So each change is also preceded by a look at the marker:
// each restore writes its own, and stops once another one has replaced it.

// acquireLock locks the directory, and reads and locks its marker.
func (d *Dir) acquireLock() error {
	var err error
	if d.lock, err = d.root.Open("."); err != nil {
		return fmt.Errorf("locking the target: %w", err)
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); isHeld(err) {
		return d.isBusy()
	}
	if d.fresh && !d.isNew {
		info, err := d.root.Stat(".")
		if err != nil {
			return fmt.Errorf("locking the target: %w", err)
		}
		if err := d.checkOwner(d.work, info); err != nil {
			return err
		}
	}
	if err := d.readMarker(); err != nil {
		return err
	}
	// The restore that held the locks may have ended before this one got them, and renamed the directory: then its
	// files are complete, and a database may have them open.
	mine, err1 := d.lock.Stat()
	there, err2 := os.Stat(d.work)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%w: another restore has just ended in %s", ErrOccupied, d.work)
	}
	return nil
}

func (d *Dir) isBusy() error {
	return fmt.Errorf("%w: another restore is writing to %s", ErrOccupied, d.work)
}

// isHeld reports whether the error of a lock means that another process holds it. All other errors mean that the file
// system has no such locks, or that its lock server is down: then the marker alone keeps two restores apart.
func isHeld(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }

// lockFile locks a marker, which is open for writing.
func lockFile(f *disk.File) error {
	return unix.FcntlFlock(f.Fd(), setLock, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
}

// unlockFile releases the lock. A process that is just being started has the descriptor, too, until it executes its
// program: closing the file alone would leave the lock for that moment.
func unlockFile(f *disk.File) {
	_ = unix.FcntlFlock(f.Fd(), setLock, &unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart})
}

// openMarker opens and locks the marker of an interrupted restore. The error is fs.ErrNotExist if there is none, and
// ErrOccupied if its restore still runs.
func (d *Dir) openMarker() error {
	info, err := d.root.Lstat(IncompleteMarker)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is in the way and is no file; remove it", ErrOccupied, IncompleteMarker)
	}
	if err := d.checkOwner(filepath.Join(d.work, IncompleteMarker), info); err != nil {
		return err
	}
	flag := os.O_RDWR
	if d.isPreview {
		flag = os.O_RDONLY
	}
	if d.begun, err = d.root.OpenFile(IncompleteMarker, flag, 0); err != nil {
		return fmt.Errorf("opening %s: %w", IncompleteMarker, err)
	}
	if err := d.lockBegun(); err != nil {
		return err
	}
	mine, err1 := d.begun.Stat()
	there, err2 := d.root.Lstat(IncompleteMarker)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%w: another restore has just ended or begun in %s", ErrOccupied, d.work)
	}
	d.markID = idOf(mine)
	return nil
}

func (d *Dir) lockBegun() error {
	if d.isPreview {
		return nil
	}
	if err := lockFile(d.begun); isHeld(err) {
		return d.isBusy()
	}
	return nil
}

// checkMark returns ErrOccupied unless the marker is the one that this restore has written: a restore on another host,
// without a lock that reaches both, has replaced it, or has ended here.
func (d *Dir) checkMark() error {
	there, err := identify(d.root, IncompleteMarker)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %s: %w", IncompleteMarker, err)
	}
	if err != nil || d.mark == nil || idOf(there) != d.markID {
		return fmt.Errorf("%w: another restore has begun in %s, or %s was removed; the directory is not complete",
			ErrOccupied, d.work, IncompleteMarker)
	}
	return nil
}

// giveMarkName gives a new marker its name. It never replaces a marker that this restore has not read or written: of
// two restores that begin at once, one gets the name.
func (d *Dir) giveMarkName(tmp string) error {
	if d.markID != (fileID{}) {
		there, err := identify(d.root, IncompleteMarker)
		if err != nil || idOf(there) != d.markID {
			return fmt.Errorf("%w: another restore has just begun or ended in %s", ErrOccupied, d.work)
		}
		return d.root.Rename(tmp, IncompleteMarker)
	}
	err := d.root.RenameNew(tmp, IncompleteMarker)
	if isUnsupported(err) { // by NFS, for one
		if err = d.root.Link(tmp, IncompleteMarker); err == nil {
			return d.root.Remove(tmp)
		}
	}
	if isUnsupported(err) || errors.Is(err, unix.EPERM) { // without links there is no step that takes only a free name
		if _, err = d.root.Lstat(IncompleteMarker); errors.Is(err, fs.ErrNotExist) {
			return d.root.Rename(tmp, IncompleteMarker)
		} else if err == nil {
			err = fs.ErrExist
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: another restore has just begun in %s", ErrOccupied, d.work)
	}
	return err
}

func isUnsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) ||
		errors.Is(err, unix.EOPNOTSUPP)
}
