package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A path may name another directory at any time: its disk is unmounted, or another disk is mounted over it. So
// the first operation opens the archive's directory, and all others use that descriptor. Each operation checks
// that the path still names that directory. Hence no operation writes below a mount point, and no object
// counts as deleted because its disk was unmounted.

// Hold implements store.Holder.
func (t *tree) Hold() (release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	t.lent = true
	return sync.OnceFunc(t.leave)
}

// in calls do with the archive's directory. If create is set, it creates a missing directory. If the path names
// another directory afterwards, it returns store.ErrGone, whatever do returned.
func (t *tree) in(create bool, do func(root *disk.Root) error) error {
	root, err := t.enter(create)
	if err != nil {
		return err
	}
	defer t.leave()
	err = do(root)
	if gone := t.same(root); gone != nil {
		return gone
	}
	return err
}

// inUntil calls in, and returns when ctx ends, even if do still runs: a disk that hangs may keep do from
// returning.
func (t *tree) inUntil(ctx context.Context, do func(root *disk.Root) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() { done <- t.in(false, do) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// enter returns the archive's directory for one operation, which ends with leave.
func (t *tree) enter(create bool) (*disk.Root, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		if err := t.find(create); err != nil {
			return nil, err
		}
	}
	t.users++
	return t.held, nil
}

// find opens the directory. The caller holds the mutex.
func (t *tree) find(create bool) error {
	root, err := disk.OpenRoot(t.root)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err := disk.MkdirAll(t.root, dirMode); err != nil {
			return err
		}
		t.anchored.Store(false)
		root, err = disk.OpenRoot(t.root)
	}
	if err != nil {
		return err
	}
	is, err := root.Stat(".")
	if err != nil {
		return errors.Join(err, root.Close())
	}
	t.held, t.is = root, is
	return nil
}

// mayMake reports whether a Put of key may create the archive's directory. After Hold, only a Put of the
// archive's first object may: any other object belongs to an archive that existed.
func (t *tree) mayMake(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lent || key == manifest.ArchiveKey
}

// same returns store.ErrGone unless the path still names this directory.
func (t *tree) same(root *disk.Root) error {
	t.mu.Lock()
	is := t.is
	if t.held != root { // it was closed
		is = nil
	}
	t.mu.Unlock()
	if is == nil {
		return fmt.Errorf("the archive's directory: %w", fs.ErrClosed)
	}
	now, err := os.Stat(t.root)
	switch {
	case err == nil && os.SameFile(now, is):
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s is another directory than when this began; was its disk unmounted, "+
			"or another one mounted over it?", store.ErrGone, t.root)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENOTCONN): // of a network file system
		return fmt.Errorf("%w: %s is not there any more; was its disk unmounted?", store.ErrGone, t.root)
	}
	return fmt.Errorf("checking that the archive's directory is the same as when this began: %w", err)
}

// leave ends an operation, or a Hold.
func (t *tree) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users--
	if t.users == 0 && t.lent {
		t.close() // so that a disk without running operations can be unmounted
	}
}

// letGo closes the directory, even if operations are running.
func (t *tree) letGo() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.close()
}

func (t *tree) close() error {
	if t.held == nil {
		return nil
	}
	err := t.held.Close()
	t.held, t.is = nil, nil
	return err
}
