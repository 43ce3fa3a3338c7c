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

// A path may name another directory from one moment to the next: its disk is unmounted, or
// another one is mounted over it. So the first operation opens the archive's directory, all
// others use that descriptor, and each compares what the path names with it. Hence no write
// lands below a mount point, and no object counts as deleted because its disk has gone.

// Hold implements store.Holder.
func (t *tree) Hold() (release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	t.lent = true
	return sync.OnceFunc(t.leave)
}

// in does something in the archive's directory; with create, it makes the directory where
// there is none. Whatever do returns, another directory at the path is store.ErrGone.
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

// inUntil is in of what a disk that hangs may keep from returning: it returns when ctx ends, and do
// may go on.
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

// find opens the directory. The mutex is held.
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

// mayMake reports whether a Put of key may make the archive's directory. While the place is
// held, only the object that begins an archive may: any other belongs to one that was there.
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
	return fmt.Errorf("comparing the archive's directory with what it was when this began: %w", err)
}

// leave ends an operation, or a Hold.
func (t *tree) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users--
	if t.users == 0 && t.lent {
		t.close() // so that a disk on which nothing goes on can be unmounted
	}
}

// letGo closes the directory, also under operations.
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
