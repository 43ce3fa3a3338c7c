package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Content is an open file of a capture. It ends at the captured size even if the file has grown.
// It is safe for concurrent use.
type Content interface {
	// ReadAt reads as io.ReaderAt does, up to the captured size. If the file has become shorter,
	// the error wraps ErrChanged and io.ErrUnexpectedEOF.
	io.ReaderAt

	// Close releases the file. Only the first call has an effect.
	io.Closer

	// Unchanged returns nil if the file has not changed since the capture: a closed file has the
	// same size and times, a tail is not shorter. Otherwise the error wraps ErrChanged. Call it
	// after reading, to check that the content was the captured one.
	Unchanged() error
}

// Capture is a set of log files that existed at one instant. Its methods are safe for concurrent
// use.
type Capture struct {
	Files   []File    // sorted by name, in byte order
	Ignored []Ignored // files of the layout that are not part of the set, sorted by name
	At      time.Time // UTC; the instant at which the set existed

	// Dirs has the identity of the source directory, under the empty name. In the layout je it
	// also has the dataNNN directories, even those without log files. It is nil if the
	// directories were not identified.
	Dirs map[string]DirID

	*holding
	closed bool
	done   []bool                      // parallel to Files: this capture no longer needs the pin; nil: needs all
	made   func(File) (Content, error) // opens the files of NewCapture; nil for those of a Directory
}

// holding has the open files of a capture, or of several captures of the same set.
type holding struct {
	mu      sync.Mutex // guards the fields below, and closed and done of the captures
	held    []entry    // parallel to Files
	sharers int        // captures that are not closed
	reopen  func(f File, was *identity) (*os.File, error)
	release func() // ends the protection by the database; may be nil
}

// NewCapture returns a capture of files from any place. Open calls open, which returns a Content
// that the caller of Open closes. Closing the capture closes no Content.
func NewCapture(files []File, at time.Time, open func(File) (Content, error)) *Capture {
	c := &Capture{Files: slices.Clone(files), At: at.UTC(), made: open, holding: &holding{sharers: 1}}
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Open returns the content of a captured file; the caller closes it. A wanted file can be opened
// even after it is deleted, as long as one of its Contents is open or none was closed yet. Other
// files, and wanted ones above the descriptor budget (half of RLIMIT_NOFILE), are opened by their
// name. Then the error wraps ErrVanished if the file is gone, and ErrChanged if it was replaced or
// written.
func (c *Capture) Open(name string) (Content, error) { return c.open(name, c.letGo) }

// Peek is Open for a file that will be opened again: closing its Content does not release a wanted
// file.
func (c *Capture) Peek(name string) (Content, error) { return c.open(name, c.putBack) }

func (c *Capture) open(name string, release func(i int) error) (Content, error) {
	i, ok := slices.BinarySearchFunc(c.Files, name, func(f File, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil, fmt.Errorf("%s is not in the capture: %w", name, os.ErrNotExist)
	}
	file, err := c.hold(i)
	if err != nil {
		return nil, err
	}
	if file != nil {
		return &content{File: c.Files[i], f: file, was: &c.held[i].identity, release: func() error { return release(i) }}, nil
	}
	if c.made != nil {
		return c.made(c.Files[i])
	}
	if file, err = c.reopen(c.Files[i], &c.held[i].identity); err != nil {
		return nil, err
	}
	return &content{File: c.Files[i], f: file, was: &c.held[i].identity, release: file.Close}, nil
}

// hold returns the pinned descriptor of file i and counts the new user; nil if it has none.
func (c *Capture) hold(i int) (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("opening %s: the capture is closed: %w", c.Files[i].Name, os.ErrClosed)
	}
	if c.made != nil || c.held[i].pin == nil {
		return nil, nil
	}
	c.held[i].pin.out++
	return c.held[i].pin.File, nil
}

// letGo removes a user of a pinned descriptor, and closes it after the last one. So a capture of
// many files releases their descriptors and disk space as they are processed.
func (c *Capture) letGo(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[i].pin.out--
	c.giveUp(i)
	return c.drop(i)
}

// putBack removes a user of a pinned descriptor, which stays open.
func (c *Capture) putBack(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[i].pin.out--
	return c.drop(i)
}

// giveUp records that this capture no longer needs the pin of file i. It needs mu.
func (c *Capture) giveUp(i int) {
	if c.done == nil {
		c.done = make([]bool, len(c.held))
	}
	if !c.done[i] {
		c.done[i] = true
		if p := c.held[i].pin; p != nil {
			p.claims--
		}
	}
}

// drop closes the pin of file i if no Content and no capture needs it. It needs mu.
func (h *holding) drop(i int) error {
	p := h.held[i].pin
	if p == nil || p.out > 0 || p.claims > 0 {
		return nil
	}
	h.held[i].pin = nil
	return p.Close()
}

// Close releases the pinned files. A file that has an open Content, or that a capture of the same
// set still needs, is released with the last of those. Only the first call has an effect.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	for i := range c.held {
		c.giveUp(i)
		errs = append(errs, c.drop(i))
	}
	if c.sharers--; c.sharers == 0 && c.release != nil {
		c.release()
	}
	return errors.Join(errs...)
}

// content is the Content of a file in a Directory.
type content struct {
	File
	f       *os.File
	was     *identity
	closed  atomic.Bool
	release func() error
}

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case c.closed.Load():
		return 0, fmt.Errorf("reading %s: %w", c.Name, os.ErrClosed)
	case off < 0:
		return 0, fmt.Errorf("reading %s: negative offset %d", c.Name, off)
	case off >= c.Size:
		return 0, io.EOF
	}
	ask := p[:min(int64(len(p)), c.Size-off)]
	n, err := c.f.ReadAt(ask, off)
	switch {
	case err == io.EOF && n < len(ask):
		return n, fmt.Errorf("%s: %w: it ends at byte %d instead of %d: %w",
			c.Name, ErrChanged, off+int64(n), c.Size, io.ErrUnexpectedEOF)
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("reading %s: %w", c.Name, err)
	case len(ask) < len(p):
		return n, io.EOF
	}
	return n, nil
}

func (c *content) Unchanged() error {
	id, _, err := statOpen(c.f)
	if err != nil {
		return fmt.Errorf("reading the status of %s: %w", c.Name, err)
	}
	if !c.was.holds(&id, c.State) {
		return fmt.Errorf("%s: %w: %s", c.Name, ErrChanged, c.was.describe(&id))
	}
	return nil
}

func (c *content) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.release()
}

// reopen opens a captured file by its name, and checks that it is the same file, unchanged.
func (d *Directory) reopen(file File, was *identity) (*os.File, error) {
	f, err := d.hooks.open(d.at(file.Name))
	switch {
	case err != nil && isGone(err):
		return nil, fmt.Errorf("source %s: %s was deleted before it could be read: %w", d.path, file.Name, ErrVanished)
	case err != nil:
		return nil, d.unreadable(file.Name, err)
	}
	id, _, err := statOpen(f)
	if err != nil {
		f.Close()
		return nil, d.unreadable(file.Name, err)
	}
	if !was.holds(&id, file.State) {
		f.Close()
		return nil, fmt.Errorf("source %s: %s: %w: %s", d.path, file.Name, ErrChanged, was.describe(&id))
	}
	return f, nil
}
