// Package disk has the file operations for data that must survive a power loss: archives in directories, targets of
// restores, and the local state of archives. Each operation calls the os package directly. A test can observe the
// operations: internal/crashtest records the synced names and bytes, and restores the states that a power loss can
// leave.
//
// The package has only the operations that such code needs, so that no change escapes the record.
package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is the kind of an operation.
type Kind int

// The operations that are passed to an Observer. Operations that only read are not passed, except Open: a file that
// is open for reading can be synced.
const (
	Open     Kind = iota // Path becomes File; Flag has os.O_CREATE and os.O_TRUNC where they were given
	Write                // Data to File at Offset
	Truncate             // File to Offset bytes
	Sync                 // File, which may be a directory
	SyncAll              // the whole file system of File
	Times                // Path gets the modification time Time
	Mkdir                // Path, with its missing parents
	Link                 // To becomes a second name of Path
	Rename               // Path gets the name To
	Remove               // Path, a file or an empty directory
)

// Op is one operation.
type Op struct {
	Kind     Kind
	Path, To string // absolute
	File     *File
	Flag     int
	Offset   int64
	Data     []byte // valid until Change returns
	Time     time.Time
}

// An Observer is called instead of each operation below its directory. Change must call do, which executes the
// operation, and return its error. It must be safe for concurrent use.
type Observer interface {
	Change(op *Op, do func() error) error
}

type observation struct {
	dir string
	by  Observer
}

var (
	observations atomic.Pointer[[]observation]
	observing    sync.Mutex // held while observations is replaced
)

// Observe passes each operation below dir, an absolute path, to o until stop is called. It is for tests.
func Observe(dir string, o Observer) (stop func()) {
	mine := observation{filepath.Clean(dir), o}
	replace := func(change func([]observation) []observation) {
		observing.Lock()
		defer observing.Unlock()
		var all []observation
		if p := observations.Load(); p != nil {
			all = *p
		}
		if all = change(all); len(all) == 0 {
			observations.Store(nil)
			return
		}
		observations.Store(&all)
	}
	replace(func(all []observation) []observation { return append(all[:len(all):len(all)], mine) })
	return func() {
		replace(func(all []observation) []observation {
			var others []observation
			for _, other := range all {
				if other != mine {
					others = append(others, other)
				}
			}
			return others
		})
	}
}

// observer returns the Observer of a path, or nil.
func observer(path string) Observer {
	all := observations.Load()
	if all == nil {
		return nil
	}
	path = absolute(path)
	for _, o := range *all {
		if path == o.dir || strings.HasPrefix(path, o.dir+string(filepath.Separator)) {
			return o.by
		}
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// OpenDir opens a directory to sync it. It needs no permission to change the directory.
func OpenDir(path string) (*File, error) {
	f := &File{by: observer(path)}
	do := func() (err error) {
		f.file, err = os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
		return err
	}
	return f.opened(do, &Op{Kind: Open, Path: path, File: f})
}

// OpenFile is os.OpenFile. It does not wait for the other end of a named pipe.
func OpenFile(path string, flag int, mode os.FileMode) (*File, error) {
	f := &File{by: observer(path), appends: flag&os.O_APPEND != 0}
	do := func() (err error) {
		f.file, err = openPath(path, flag, mode)
		return err
	}
	return f.opened(do, &Op{Kind: Open, Path: path, File: f, Flag: flag})
}

// MkdirAll is os.MkdirAll.
func MkdirAll(path string, mode os.FileMode) error {
	return change(&Op{Kind: Mkdir, Path: path}, func() error { return os.MkdirAll(path, mode) })
}

// NewDir is os.Mkdir.
func NewDir(path string, mode os.FileMode) error {
	return change(&Op{Kind: Mkdir, Path: path}, func() error { return os.Mkdir(path, mode) })
}

// RemoveName is os.Remove.
func RemoveName(path string) error {
	return change(&Op{Kind: Remove, Path: path}, func() error { return os.Remove(path) })
}

// RenameOver is os.Rename.
func RenameOver(from, to string) error {
	return change(&Op{Kind: Rename, Path: from, To: to}, func() error { return os.Rename(from, to) })
}

// RenameNew renames a file. It returns fs.ErrExist if the new name exists, and unix.ENOSYS or unix.EINVAL if the
// system or the file system does not support this operation.
func RenameNew(from, to string) error {
	return change(&Op{Kind: Rename, Path: from, To: to}, func() error { return renameNew(from, to) })
}

// CannotSync reports whether the error of a Sync means that the file system has no fsync. EROFS does not count: a
// file system that is mounted read-only returns success, and EROFS means that a disk error has aborted it.
func CannotSync(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) }

// change executes op by do, through the Observer of op.Path if there is one.
func change(op *Op, do func() error) error {
	by := observer(op.Path)
	if by == nil {
		return do()
	}
	op.Path = absolute(op.Path)
	if op.To != "" {
		op.To = absolute(op.To)
	}
	return by.Change(op, do)
}
