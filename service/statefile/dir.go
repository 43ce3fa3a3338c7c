package statefile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// hangs is the time after which a write counts as hanging: far beyond that of a working disk. A read has more time,
	// since a caller continues without the value.
	hangs     = 3 * time.Second
	hangsRead = 10 * time.Second
	// maxActive bounds the reads and the writes that are in progress, and maxHanging those that hang. Each of them
	// needs a thread of the operating system.
	maxActive  = 8
	maxHanging = 8
)

// ErrHangs means that a state directory does not respond, such as a dying disk or a network file system.
var ErrHangs = errors.New("the state directory does not respond")

// ErrUnreadable means that a file exists, and that its value cannot be read.
var ErrUnreadable = errors.New("the file exists and cannot be read")

// Dir is a directory of state files. A disk that hangs delays no caller: Save returns at once, and Read returns after
// seconds at the latest. Its methods are safe for concurrent use.
type Dir struct {
	path string
	log  *slog.Logger
	read chan struct{} // an element for each read that is in progress and does not hang

	mu      sync.Mutex
	unsaved map[string]*value
	queue   []string      // the names of unsaved values that no write has begun
	writers int           // goroutines that write and do not hang
	hanging int           // reads and writes
	ended   chan struct{} // closed and replaced when a write ends
}

// value is the newest value of a file that is not completely written, or a file that is yet to be read.
type value struct {
	text    []byte // nil if there is nothing to write
	failed  func(error)
	unread  *unread // is read before anything is written; nil for other files
	writing bool    // an earlier text, or this one
	newer   bool    // the text is newer than the one that is being written
}

// unread is a file that Read could not read because the directory did not respond.
type unread struct {
	v    any
	read func()
}

// NewDir returns the directory of that path, which Save creates. An empty path disables it: Read sets nothing, and
// Save drops the values. A nil log disables warnings that the directory hangs.
func NewDir(path string, log *slog.Logger) *Dir {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Dir{
		path: path, log: log, read: make(chan struct{}, maxActive),
		unsaved: map[string]*value{}, ended: make(chan struct{}),
	}
}

// Save writes v as the content of a file, in the background. If several values of a file wait, only the newest is
// written. After an error the old content stays, and failed is called with the error by another goroutine.
func (d *Dir) Save(name string, v any, failed func(error)) {
	if d.path == "" {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		go failed(fmt.Errorf("encoding %s: %w", name, err))
		return
	}
	d.save(name, text, failed)
}

// save is Save for an encoded value.
func (d *Dir) save(name string, text []byte, failed func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.queued(name)
	one.text, one.failed, one.newer = text, failed, one.writing
	d.startWriter()
}

// SaveNow is Save, but it returns when v is written, with the error of the write, or with ErrHangs when ctx ends. After
// ErrHangs v may still be written later, unless another value of the file is saved.
func (d *Dir) SaveNow(ctx context.Context, name string, v any) error {
	if d.path == "" {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	failed := make(chan error, 1)
	d.save(name, text, func(err error) { failed <- err })
	for {
		d.mu.Lock()
		ended, waits := d.ended, d.unsaved[name] != nil
		d.mu.Unlock()
		select {
		case err := <-failed:
			return err
		default:
		}
		if !waits {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("writing %s: %w", filepath.Join(d.path, name), ErrHangs)
		}
	}
}

// ReadLater is called after Read has returned ErrHangs. It reads the file once the directory responds. If there is such
// a file, it sets v and calls read, from another goroutine. Until then no value is written over the file, so that read
// can call Save with what the file and the present have.
func (d *Dir) ReadLater(name string, v any, read func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.queued(name)
	one.unread, one.newer = &unread{v, read}, one.writing
	d.startWriter()
}

// queued returns the value of a file, which waits for a writer or has one, with d.mu held.
func (d *Dir) queued(name string) *value {
	one := d.unsaved[name]
	if one == nil {
		one = &value{}
		d.unsaved[name] = one
		d.queue = append(d.queue, name)
	}
	return one
}

// startWriter starts a goroutine that writes, if one is useful, with d.mu held.
func (d *Dir) startWriter() {
	if len(d.queue) > 0 && d.writers < maxActive && d.hanging < maxHanging {
		d.writers++
		go d.write()
	}
}

// write writes values until none waits.
func (d *Dir) write() {
	for {
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.writers--
			d.mu.Unlock()
			return
		}
		name := d.queue[0]
		d.queue = d.queue[1:]
		one := d.unsaved[name]
		one.writing = true
		text, failed, late := one.text, one.failed, one.unread
		d.mu.Unlock()

		file := filepath.Join(d.path, name)
		replaced := d.watch(name)
		var err error
		if late != nil {
			text, err = read(file)
		} else {
			err = write(file, text)
		}
		hung := replaced()
		switch {
		case late != nil:
			d.load(file, late, text, err)
		case err != nil:
			if !hung { // watch has counted it
				failures.Add(1)
			}
			failed(err)
		}
		if d.finish(name, late, hung) {
			return
		}
	}
}

// load passes on the content of a file that was read late.
func (d *Dir) load(file string, late *unread, text []byte, err error) {
	if err == nil && text != nil {
		if err = json.Unmarshal(text, late.v); err == nil {
			late.read()
		}
	}
	if err != nil {
		d.log.Warn("cannot read a state file, although the state directory responds again", "file", file, "error", err)
	}
}

// finish records that a write has ended, or the late read of a file. It reports whether another goroutine has taken the
// writer's place.
func (d *Dir) finish(name string, late *unread, hung bool) (replaced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.unsaved[name]
	if late != nil {
		if one.unread == late {
			one.unread = nil
		}
		one.newer = one.text != nil || one.unread != nil
	}
	if one.newer {
		one.writing, one.newer = false, false
		d.queue = append(d.queue, name)
	} else {
		delete(d.unsaved, name)
	}
	close(d.ended)
	d.ended = make(chan struct{})
	if hung {
		d.startWriter()
	}
	return hung
}

// watch counts a write as failed and hanging if it takes too long, and lets another goroutine take the place of the
// writer. The returned function ends that, and reports whether the write was counted.
func (d *Dir) watch(name string) (end func() bool) {
	counted, over := false, false
	timer := time.AfterFunc(hangs, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if over {
			return
		}
		counted = true
		failures.Add(1)
		d.writers--
		d.hang(name)
		d.startWriter()
	})
	return func() bool {
		timer.Stop()
		d.mu.Lock()
		defer d.mu.Unlock()
		over = true
		if counted {
			d.respond()
		}
		return counted
	}
}

// hang counts an operation as hanging, with d.mu held. It logs the first.
func (d *Dir) hang(name string) {
	if d.hanging++; d.hanging == 1 {
		go d.log.Warn("the state directory does not respond; the service continues, and its status is not saved",
			"directory", d.path, "file", name)
	}
}

// respond records that a hanging operation has ended, with d.mu held.
func (d *Dir) respond() {
	if d.hanging--; d.hanging == 0 {
		go d.log.Info("the state directory responds again", "directory", d.path)
	}
}

// Read sets v from a file, or from the newest value that Save was called with. If there is no such file, v stays
// unchanged. The error is ErrHangs if the directory does not respond; ReadLater then keeps the file. It is
// ErrUnreadable if there is such a file.
func (d *Dir) Read(name string, v any) error {
	if d.path == "" {
		return nil
	}
	d.mu.Lock()
	one := d.unsaved[name]
	var text []byte
	if one != nil {
		text = one.text
	}
	d.mu.Unlock()
	if text == nil {
		var err error
		if text, err = d.content(name); err != nil || text == nil {
			return err
		}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading %s: %w: %w", filepath.Join(d.path, name), ErrUnreadable, err)
	}
	return nil
}

// content returns a file's content, or nil if there is no file.
func (d *Dir) content(name string) ([]byte, error) {
	file := filepath.Join(d.path, name)
	d.read <- struct{}{} // a read that hangs makes room
	d.mu.Lock()
	refused := d.hanging >= maxHanging
	d.mu.Unlock()
	if refused {
		<-d.read
		return nil, fmt.Errorf("reading %s: %w", file, ErrHangs)
	}
	type result struct {
		text []byte
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		text, err := read(file)
		ended <- result{text, err}
	}()
	timer := time.NewTimer(hangsRead)
	defer timer.Stop()
	select {
	case r := <-ended:
		<-d.read
		return r.text, r.err
	case <-timer.C:
	}
	d.mu.Lock()
	d.hang(name)
	d.mu.Unlock()
	<-d.read
	go func() {
		<-ended
		d.mu.Lock()
		defer d.mu.Unlock()
		d.respond()
		d.startWriter()
	}()
	return nil, fmt.Errorf("reading %s: %w", file, ErrHangs)
}

// Flush returns when all values are written, or with ErrHangs when ctx ends. The error names the files that are not
// written.
func (d *Dir) Flush(ctx context.Context) error {
	for {
		d.mu.Lock()
		ended := d.ended
		var names []string
		for name, one := range d.unsaved {
			if one.text != nil {
				names = append(names, name)
			}
		}
		d.mu.Unlock()
		if len(names) == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			slices.Sort(names)
			return fmt.Errorf("%s: %w, and these files are not written: %s", d.path, ErrHangs, strings.Join(names, ", "))
		}
	}
}
