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

// lockName is the file that is locked during a delete.
var lockName = path.Join(hidden, "deleting")

// lockPatience is how long a delete waits for another one, which takes microseconds unless its process is suspended.
const lockPatience = 30 * time.Second

// Delete implements store.Store. It also removes directories that become empty.
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	var errs []error
	for i := range objects {
		o := &objects[i]
		err := ctx.Err()
		if err == nil {
			err = cloud.CheckKey(o.Key)
		}
		if err == nil {
			err = s.in(false, func(root *disk.Root) error { return s.removeVersion(ctx, root, o) })
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
	f, err := openLock(root)
	if err != nil {
		return func() {}, nil
	}
	deadline := time.Now().Add(lockPatience)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil // which ends the lock; nothing was written
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return func() {}, nil
		case time.Now().After(deadline):
			f.Close()
			return nil, fmt.Errorf("another process has been deleting in this directory for %s, and holds the lock on %s; "+
				"end that process, or let it continue, and try again", lockPatience, lockName)
		}
		if err := cloud.Pause(ctx, pause); err != nil {
			f.Close()
			return nil, err
		}
	}
}

// openLock opens the file for writing, which locks over NFS need.
func openLock(root *disk.Root) (*disk.File, error) {
	if err := root.MkdirAll(hidden, dirMode); err != nil {
		return nil, err
	}
	return root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
}
