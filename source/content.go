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

// Content is an open file of a capture. It ends at the captured size, however the file
// has grown. It is safe for concurrent use.
type Content interface {
	// ReadAt reads as io.ReaderAt does, up to the captured size. Where the file ends
	// before that, the error wraps ErrChanged and io.ErrUnexpectedEOF.
	io.ReaderAt

	// Close lets go of the file. Only the first call does anything.
	io.Closer

	// Unchanged returns nil while the file is what it was at capture: a closed file the
	// same in size and times, a tail no shorter. Otherwise its error wraps ErrChanged.
	// To be sure of what was read, ask after reading it.
	Unchanged() error
}

// Capture is a set of log files that was there at one instant. Its methods are safe for
// concurrent use.
type Capture struct {
	Files   []File    // by name, in the order of bytes
	Ignored []Ignored // files of the layout that are not part of it, by name
	At      time.Time // UTC; the instant at which the set was there

	// Dirs identifies the source, under the empty name, and in the layout je its dataNNN
	// directories, with log files or without. It is nil where nothing is known of them.
	Dirs map[string]DirID

	*holding
	closed bool
	done   []bool                      // beside Files: whose pin this capture needs no more; nil: none
	made   func(File) (Content, error) // instead of what is held, in NewCapture's
}

// holding is what a capture, or several of the same set, keep open.
type holding struct {
	mu      sync.Mutex // guards what follows, and what the captures have beside it
	held    []held     // beside Files
	sharers int        // captures that are not closed
	reopen  func(f File, was *identity) (*os.File, error)
	release func() // lets the database have the files again; may be nil
}

// held is what is known of a file besides what a capture tells.
type held struct {
	was    identity
	pin    *os.File // nil when it is to be opened by name
	out    int      // how many Contents share the pin
	claims int      // how many captures may need it yet
}

// NewCapture makes a capture of files that lie anywhere: open is called for each Open of
// one of them, and returns what the caller of Open is to close. Closing the capture
// closes nothing else.
func NewCapture(files []File, at time.Time, open func(File) (Content, error)) *Capture {
	c := &Capture{Files: slices.Clone(files), At: at.UTC(), made: open, holding: &holding{sharers: 1}}
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Open returns the content of a captured file; the caller closes it. A file that was
// wanted is there even if it was deleted since, as long as one of its Contents is open
// or none was closed yet. Any other is opened by its name: the error wraps ErrVanished
// if it is gone, and ErrChanged if it is another one or was written to. So does Open for
// wanted files beyond the descriptor budget (half of RLIMIT_NOFILE).
func (c *Capture) Open(name string) (Content, error) { return c.open(name, c.letGo) }

// Peek is Open for a look at a file that will be opened again: closing what it returns does
// not give up a file that was wanted.
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
		return &content{File: c.Files[i], f: file, was: &c.held[i].was, release: func() error { return release(i) }}, nil
	}
	if c.made != nil {
		return c.made(c.Files[i])
	}
	if file, err = c.reopen(c.Files[i], &c.held[i].was); err != nil {
		return nil, err
	}
	return &content{File: c.Files[i], f: file, was: &c.held[i].was, release: file.Close}, nil
}

// hold returns the pinned descriptor of file i, nil if it has none, and counts the user.
func (c *Capture) hold(i int) (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("opening %s: the capture is closed: %w", c.Files[i].Name, os.ErrClosed)
	}
	if c.made != nil || c.held[i].pin == nil {
		return nil, nil
	}
	c.held[i].out++
	return c.held[i].pin, nil
}

// letGo takes back one user of a pinned descriptor. The last one closes it: a capture of
// many files gives their descriptors and disk space back as it is worked off.
func (c *Capture) letGo(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[i].out--
	c.giveUp(i)
	return c.drop(i)
}

// putBack takes back one user of a pinned descriptor, which stays open.
func (c *Capture) putBack(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[i].out--
	return c.drop(i)
}

// giveUp notes that this capture does not need the pin of file i any more, with mu held.
func (c *Capture) giveUp(i int) {
	if c.done == nil {
		c.done = make([]bool, len(c.held))
	}
	if !c.done[i] {
		c.done[i] = true
		c.held[i].claims--
	}
}

// drop closes the pin of file i if nobody needs it any more, with mu held.
func (h *holding) drop(i int) error {
	f := &h.held[i]
	if f.pin == nil || f.out > 0 || f.claims > 0 {
		return nil
	}
	pin := f.pin
	f.pin = nil
	return pin.Close()
}

// Close lets go of every file that is still held, but for those whose Content is open, or
// that a capture needs with which it was shared: these close with those. Only the first
// call does anything.
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

// content is a file of a directory, as it was captured.
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
		return n, fmt.Errorf("%s: %w: it ends at byte %d instead of %d: %w", c.Name, ErrChanged, off+int64(n), c.Size, io.ErrUnexpectedEOF)
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
		return fmt.Errorf("looking at %s: %w", c.Name, err)
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

// reopen opens a captured file by its name, and makes sure that it is still the one.
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
