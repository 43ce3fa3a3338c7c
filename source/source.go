// Package source reads a directory of log files while a database writes to it. It
// knows which files belong to the log (a Layout), which of them the database has
// finished with, and how to take hold of a set of them that was there at one instant
// although the database goes on creating, rewriting and deleting files:
//
//	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
//	dir, err := source.Open("/var/lib/orders", layout)
//	capture, err := dir.Capture(ctx, func(f source.File) bool { return !archived(f) })
//	defer capture.Close()
//	for _, f := range capture.Files {
//		content, err := capture.Open(f.Name)
//		// read content, f.Size bytes; then ask content.Unchanged(); then close it
//	}
//
// The directory is only ever read, without locks: permission to read it is enough, and
// the database never notices. What was captured is held by open descriptors, which
// outlive a deletion, never by links, which would need ownership and touch the files.
package source

import (
	"errors"
	"time"
)

// State says what is known of a file's end.
type State int

// The states of a file.
const (
	Closed State = iota // the database writes to it no more
	Tail                // the file being written: its first Size bytes are taken along
)

// String returns "closed" or "tail".
func (s State) String() string {
	if s == Tail {
		return "tail"
	}
	return "closed"
}

// File is one log file as it was captured.
type File struct {
	Name     string    // path below the source, slash-separated
	Size     int64     // bytes; of a tail, its size at capture
	Modified time.Time // UTC
	State    State

	was *identity // nil where nothing is known
}

// ID returns what the file system told of the file at capture; the zero ID where nobody
// asked it.
func (f *File) ID() ID {
	if f.was == nil {
		return ID{}
	}
	return ID{Device: f.was.dev, Inode: f.was.ino, Changed: f.was.ctime, Links: f.was.links}
}

// ID is what a file system tells of a file that shows whether a name still stands for
// the same content. The zero ID says nothing.
type ID struct {
	Device, Inode uint64
	Changed       int64 // the change time, in ns since 1970, which nobody can set
	Links         uint64
}

// What goes wrong with a source; test with errors.Is.
var (
	// ErrMissing: the source directory, or what a link in it leads to, is not there.
	ErrMissing = errors.New("it is not there")
	// ErrEmpty: the directory is there and has no log files in it.
	ErrEmpty = errors.New("no log files")
	// ErrVanished: a file was deleted before it could be opened, or the directory
	// changed so fast that no consistent set could be had. Capturing again may help.
	ErrVanished = errors.New("the log moved on")
	// ErrChanged: a file is no longer what it was at capture. Capturing again may help.
	ErrChanged = errors.New("the file changed since it was captured")
)
