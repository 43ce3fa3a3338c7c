// Package source reads a directory of log files while a database writes to it. A [Layout]
// determines which files belong to the log and which of them are closed. [Directory.Capture]
// returns a set of files that existed at one instant, although the database continues to create,
// rewrite and delete files:
//
//	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
//	dir, err := source.Open("/var/lib/orders", layout)
//	capture, err := dir.Capture(ctx, func(f source.File) bool { return !archived(f) })
//	defer capture.Close()
//	for _, f := range capture.Files {
//		content, err := capture.Open(f.Name)
//		// read f.Size bytes of content, then check content.Unchanged(), then close it
//	}
//
// The package only reads the directory, without locks. It needs only permission to read, and does
// not disturb the database. A capture holds its files by open descriptors, which outlive a
// deletion. It never uses links, which would need ownership and change the files' status.
//
// The layouts are a table in layout.go; NewLayout in options.go compiles one from its settings, and
// detect.go recognizes one by the files of a directory. The files closed_….go decide which log files
// are closed. The packages je and noxu read the entries of their databases' log files.
package source

import (
	"errors"
	"time"
)

// State is whether a file is closed or still being written.
type State uint8

// The states of a file.
const (
	Closed State = iota // the database no longer writes to it
	Tail                // the file that is being written: a capture has its first Size bytes
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

	was *identity // nil in a capture of NewCapture
}

// ID returns the file's identity in the file system at capture; the zero ID if it is unknown.
func (f *File) ID() ID {
	if f.was == nil {
		return ID{}
	}
	return ID{Device: f.was.dev, Inode: f.was.ino, Changed: f.was.ctime, Links: f.was.links}
}

// ID shows whether a name is still the same file with the same content. The zero ID means that
// this is unknown.
type ID struct {
	Device, Inode uint64
	Changed       int64 // the change time, in ns since 1970, which cannot be set
	Links         uint64
}

// The errors of a source; test with errors.Is.
var (
	// ErrMissing means that the source directory, or the target of a link in it, does not exist.
	ErrMissing = errors.New("it is not there")
	// ErrEmpty means that the directory exists and has no log files.
	ErrEmpty = errors.New("no log files")
	// ErrVanished means that a file was deleted before it could be opened, or that the directory
	// changed too fast for a consistent set. Capturing again may help.
	ErrVanished = errors.New("the log has changed")
	// ErrChanged means that a file has changed since the capture. Capturing again may help.
	ErrChanged = errors.New("the file changed since it was captured")
)
