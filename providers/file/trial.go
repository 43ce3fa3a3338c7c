package file

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.CreationTester = (*adapter)(nil)

// trialPrefix begins the names of the files of trials. No key has such a path, so no listing shows them. Each directory
// has one such name, so that a directory that refuses deletes keeps one file, and not one of each check.
const (
	trialPrefix = hidden + "-trial-"
	trialName   = trialPrefix + "create"
)

// TestCreation implements store.CreationTester.
func (s *adapter) TestCreation(ctx context.Context, keys iter.Seq[string]) error {
	failed := ""
	err := s.in(false, func(root *disk.Root) error {
		t := &trial{tree: s.tree, root: root, succeeded: map[string]bool{}}
		defer t.end()
		for key := range keys {
			failed = key
			if err := errors.Join(ctx.Err(), cloud.CheckKey(key)); err != nil {
				return err
			}
			if err := t.test(pathOf(key)); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) { // the archive's directory, or what another process deletes just now
		return nil
	}
	op, dir := "creating an object", failed[:strings.LastIndexByte(failed, '/')+1]
	if dir != "" {
		op += " below"
	}
	return s.fail(op, dir, err)
}

// A trial does in each directory what a Put does there, with an empty file. Permissions alone do not decide: a directory
// may be immutable, or on another disk.
type trial struct {
	*tree
	root      *disk.Root
	succeeded map[string]bool // by directory
	temp      string          // a temporary file; empty if there is none
}

// test tests whether the file of a name could be created, in the deepest of its directories that exists.
func (t *trial) test(name string) error {
	if blocked := t.blockAt(t.root, name); blocked != nil && !blocked.AtKey {
		return blocked
	}
	dir := path.Dir(name)
	for dir != "." && !t.succeeded[dir] {
		if _, err := t.root.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = path.Dir(dir)
	}
	if t.succeeded[dir] {
		return nil
	}
	if err := t.makeFile(dir); err != nil {
		return err
	}
	if err := t.openUp(dir); err != nil {
		return err
	}
	t.succeeded[dir] = true
	return nil
}

// makeFile gives an empty file a name in a directory, and removes it.
func (t *trial) makeFile(dir string) error {
	if t.temp == "" {
		f, temp, err := tempFile(t.root)
		if err != nil {
			return t.explain(t.root, path.Join(hidden, "put-"), err)
		}
		t.temp = temp
		if err := f.Close(); err != nil {
			return err
		}
	}
	name := path.Join(dir, trialName)
	err := t.link(t.root, t.temp, name)
	if errors.Is(err, fs.ErrExist) { // a trial that runs now, or one that could not remove it
		if err := t.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return t.mayCreate(dir)
		}
		if err = t.link(t.root, t.temp, name); errors.Is(err, fs.ErrExist) {
			return nil // another trial has just succeeded
		}
	}
	if err != nil {
		return err
	}
	if t.noLinks.Load() { // the file was renamed
		t.temp = ""
	}
	_ = t.root.Remove(name) // a directory that allows no deletes keeps it, and takes objects all the same
	return nil
}

// mayCreate tests whether files may be created in a directory that keeps the file of an earlier trial.
func (t *trial) mayCreate(dir string) error {
	d, err := t.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Faccessat(int(d.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "creating a file in", Path: dir, Err: err}
	}
	return nil
}

// openUp opens a directory and those above it, as a Put does to sync them.
func (t *trial) openUp(dir string) error {
	for ; ; dir = path.Dir(dir) {
		d, err := t.root.Open(dir)
		if err != nil {
			return err
		}
		if err := d.Close(); err != nil || dir == "." {
			return err
		}
	}
}

// end removes the temporary file.
func (t *trial) end() {
	if t.temp != "" {
		_ = t.root.Remove(t.temp) // if this fails, a later process removes it
	}
}
