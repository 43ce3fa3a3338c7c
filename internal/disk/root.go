package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Root is a directory that no name below it can leave, with a part of os.Root's methods. Names are relative to it
// and have slashes.
type Root struct {
	root *os.Root
	by   Observer // nil if there is none

	mu   sync.Mutex
	self *os.File // the directory itself, for RenameFile; nil before its first call
}

// OpenRoot is os.OpenRoot. It does not wait for the other end of a named pipe.
func OpenRoot(dir string) (*Root, error) {
	root, err := openRoot(os.OpenRoot, dir)
	if err != nil {
		return nil, err
	}
	return &Root{root: root, by: observer(dir)}, nil
}

// OpenRoot opens a directory below, for repeated operations on what it has: they do not open it again. The new Root
// stays with that directory, also when the directory gets another name. It does not wait for the other end of a named
// pipe.
func (r *Root) OpenRoot(name string) (*Root, error) {
	root, err := openRoot(r.root.OpenRoot, name)
	if err != nil {
		return nil, err
	}
	return &Root{root: root, by: r.by}, nil
}

// change executes op, whose names are relative to the root, by do.
func (r *Root) change(op *Op, do func() error) error {
	if r.by == nil {
		return do()
	}
	op.Path = r.absolute(op.Path)
	if op.To != "" {
		op.To = r.absolute(op.To)
	}
	return r.by.Change(op, do)
}

func (r *Root) absolute(name string) string {
	return filepath.Join(absolute(r.root.Name()), filepath.FromSlash(name))
}

// OpenFile is os.Root's. It does not wait for the other end of a named pipe.
func (r *Root) OpenFile(name string, flag int, mode os.FileMode) (*File, error) {
	f := &File{by: r.by, appends: flag&os.O_APPEND != 0}
	do := func() (err error) {
		f.file, err = openNoWait(func(more int) (*os.File, error) { return r.root.OpenFile(name, flag|more, mode) },
			func() (fs.FileInfo, error) { return r.root.Stat(name) })
		return err
	}
	if err := r.change(&Op{Kind: Open, Path: name, File: f, Flag: flag}, do); err != nil {
		return nil, err
	}
	return f, nil
}

// Open is OpenFile for reading.
func (r *Root) Open(name string) (*File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

// Mkdir is os.Root's.
func (r *Root) Mkdir(name string, mode os.FileMode) error {
	return r.change(&Op{Kind: Mkdir, Path: name}, func() error { return r.root.Mkdir(name, mode) })
}

// MkdirAll is os.Root's.
func (r *Root) MkdirAll(name string, mode os.FileMode) error {
	return r.change(&Op{Kind: Mkdir, Path: name}, func() error { return r.root.MkdirAll(name, mode) })
}

// Link is os.Root's.
func (r *Root) Link(from, to string) error {
	return r.change(&Op{Kind: Link, Path: from, To: to}, func() error { return r.root.Link(from, to) })
}

// Rename is os.Root's.
func (r *Root) Rename(from, to string) error {
	return r.change(&Op{Kind: Rename, Path: from, To: to}, func() error { return r.root.Rename(from, to) })
}

// RenameFile gives a file another name in the same directory, in place of a file that has it. For files directly in the
// root it needs one system call, and Rename needs more. Neither name may be a directory's.
func (r *Root) RenameFile(from, to string) error {
	if !isEntry(from) || !isEntry(to) {
		return r.Rename(from, to)
	}
	return r.change(&Op{Kind: Rename, Path: from, To: to}, func() error {
		dir, err := r.directory()
		if err != nil {
			return err
		}
		for {
			err := unix.Renameat(dir, from, dir, to)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
			}
			return nil
		}
	})
}

// isEntry reports whether a name is that of something directly in a directory.
func isEntry(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.Contains(name, "/")
}

// directory returns a descriptor of the root itself, which Close closes.
func (r *Root) directory() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.self == nil {
		self, err := r.root.Open(".")
		if err != nil {
			return 0, err
		}
		r.self = self
	}
	return int(r.self.Fd()), nil
}

// RenameNew renames a file. It returns fs.ErrExist if the new name exists, and unix.ENOTSUP or a similar error if
// the system or the file system does not support this operation.
func (r *Root) RenameNew(from, to string) error {
	return r.change(&Op{Kind: Rename, Path: from, To: to}, func() error {
		old, err := r.root.Open(path.Dir(from))
		if err != nil {
			return err
		}
		defer old.Close()
		dir, err := r.root.Open(path.Dir(to))
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := renameNewAt(int(old.Fd()), path.Base(from), int(dir.Fd()), path.Base(to)); err != nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		return nil
	})
}

// Remove is os.Root's.
func (r *Root) Remove(name string) error {
	return r.change(&Op{Kind: Remove, Path: name}, func() error { return r.root.Remove(name) })
}

// SetTime sets the modification and access times of f, which is open under this name. It leaves them for a zero time.
func (r *Root) SetTime(f *File, name string, t time.Time) error {
	return r.change(&Op{Kind: Times, Path: name, Time: t}, func() error {
		if t.IsZero() {
			return nil
		}
		err := setTime(int(f.file.Fd()), t)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			return r.root.Chtimes(name, t, t)
		}
		if err != nil {
			return &os.PathError{Op: "set time", Path: name, Err: err}
		}
		return nil
	})
}

// Stat is os.Root's.
func (r *Root) Stat(name string) (fs.FileInfo, error) { return r.root.Stat(name) }

// Lstat is os.Root's.
func (r *Root) Lstat(name string) (fs.FileInfo, error) { return r.root.Lstat(name) }

// FS is os.Root's.
func (r *Root) FS() fs.FS { return r.root.FS() }

// Close closes the root. No operation may run at the same time.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.root.Close()
	if r.self != nil {
		err = errors.Join(err, r.self.Close())
		r.self = nil
	}
	return err
}
