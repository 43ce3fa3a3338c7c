package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// A file system has no call that compares and deletes. But objects are create-only: an object can be replaced only
// after another process has deleted it. So it is enough that all deletes in a directory exclude each other. Each
// holds a lock on a file while it compares and deletes. The lock ends with its process.
//
// Nothing excludes other programs, strongroom before it had this lock, and hosts that share a file system without
// locks. Then the file may be replaced in the microseconds between the two calls.

// lockName is the file that is locked during a delete. It is removed after the last one of a call.
var lockName = path.Join(hidden, "deleting")

// lockPatience is how long a delete waits for another one, which takes microseconds unless its process is suspended.
const lockPatience = 30 * time.Second

// Delete implements store.Store. It also removes directories that become empty. If another process keeps the lock, it
// waits for that once, and not for each object.
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	var errs []error
	var busy error
	defer func() {
		_ = s.in(false, dropLock) // a file that is left does no harm
	}()
	for i := range objects {
		o := &objects[i]
		err := ctx.Err()
		if err == nil {
			err = cloud.CheckKey(o.Key)
		}
		if err == nil {
			err = busy
		}
		if err == nil {
			err = s.in(false, func(root *disk.Root) error { return s.removeVersion(ctx, root, o) })
			if errors.Is(err, store.ErrDeleting) {
				busy = err
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, s.fail("deleting", o.Key, err))
		}
	}
	return errors.Join(errs...)
}

// removeVersion removes an object while no other process deletes.
func (s *adapter) removeVersion(ctx context.Context, root *disk.Root, o *store.Object) error {
	if _, err := statObject(root, o.Key); err != nil {
		return err
	}
	unlock, err := lockDeletes(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := statObject(root, o.Key)
	switch {
	case err != nil:
		return err
	case o.Version != "" && o.Version != disk.Stamp(now):
		return s.Changed(o.Key)
	}
	return removeObject(root, o.Key)
}

// lockDeletes waits for the lock. It returns without one if the file system has no locks, or no room for their file:
// a prune must work on a full disk.
func lockDeletes(ctx context.Context, root *disk.Root) (unlock func(), err error) {
	deadline := time.Now().Add(lockPatience)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 100*time.Millisecond) {
		f, err := openLock(root)
		if err != nil {
			return func() {}, nil
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && isLockFile(root, f) {
			return func() { f.Close() }, nil // which ends the lock; nothing was written
		}
		f.Close()
		switch {
		case err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return func() {}, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%w: it has held the lock on %s for %s; end that process, or let it continue, "+
				"and try again", store.ErrDeleting, lockName, lockPatience)
		}
		if err := cloud.Pause(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// openLock opens the file for writing, which locks over NFS need.
func openLock(root *disk.Root) (*disk.File, error) {
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := root.MkdirAll(hidden, dirMode); err != nil {
		return nil, err
	}
	return root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
}

// isLockFile reports whether a locked file still has the name: the process that held it before may have removed it.
func isLockFile(root *disk.Root, f *disk.File) bool {
	locked, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := root.Lstat(lockName)
	return err == nil && os.SameFile(locked, named)
}

// dropLock removes the lock's file, unless another process has it.
func dropLock(root *disk.Root) error {
	f, err := root.OpenFile(lockName, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	if !isLockFile(root, f) {
		return nil
	}
	return root.Remove(lockName)
}
