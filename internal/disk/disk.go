// Package disk has the file operations of what must survive a power loss: archives in
// directories, targets of restores, and the local state of archives. Each passes to the os package
// at once. A test may
// observe them: it records which names and which bytes were synced, and then restores what a
// power loss can leave (internal/crashtest).
//
// Only what such code needs is here, so that none of its changes escapes the record.
package disk

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what an operation does.
type Kind int

// The operations that are passed to an Observer. Those that only read are none, except Open: what is
// open for reading can be synced.
const (
	Open     Kind = iota // Path becomes File; Flag has os.O_CREATE and os.O_TRUNC where they were given
	Write                // Data to File at Offset
	Truncate             // File to Offset bytes
	Sync                 // File, which may be a directory
	SyncAll              // all of the file system in which File lies
	Times                // Path gets the modification time Time
	Mkdir                // Path, and what is missing above it
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

// An Observer is called instead of each operation below its directory. Change calls do, which
// executes the operation, and returns its error. It may be called from several goroutines.
type Observer interface {
	Change(op *Op, do func() error) error
}

type observation struct {
	dir string
	by  Observer
}

var (
	observations atomic.Pointer[[]observation]
	observing    sync.Mutex // is held while observations is replaced
)

// Observe passes to o each operation of what is opened below dir, an absolute path, from now
// until stop is called. It is for tests.
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

// OpenDir opens a directory, which it need not be allowed to change, to sync it.
func OpenDir(path string) (*File, error) {
	f := &File{by: observer(path)}
	do := func() (err error) {
		f.file, err = os.Open(path)
		return err
	}
	return f.opened(do, &Op{Kind: Open, Path: path, File: f})
}

// OpenFile is os.OpenFile.
func OpenFile(path string, flag int, mode os.FileMode) (*File, error) {
	f := &File{by: observer(path), appends: flag&os.O_APPEND != 0}
	do := func() (err error) {
		f.file, err = os.OpenFile(path, flag, mode)
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

// RenameNew renames unless there is something of the new name: then the error is
// fs.ErrExist. Where the system or the file system cannot do so, it is unix.ENOSYS or
// unix.EINVAL.
func RenameNew(from, to string) error {
	return change(&Op{Kind: Rename, Path: from, To: to}, func() error { return renameNew(from, to) })
}

// change does what op says, and passes it to the Observer of op.Path.
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
