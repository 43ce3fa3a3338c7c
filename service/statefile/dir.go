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
	// hangs is the time after which an operation counts as hanging: far beyond that of a working disk.
	hangs = 3 * time.Second
	// maxActive bounds the reads and the writes that are in progress, and maxHanging those that hang. Each of them
	// needs a thread of the operating system.
	maxActive  = 8
	maxHanging = 8
)

// ErrHangs means that a state directory does not respond, such as a dying disk or a network file system.
var ErrHangs = errors.New("the state directory does not respond")

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

// value is the newest value of a file that is not completely written.
type value struct {
	text    []byte
	failed  func(error)
	writing bool // an earlier text, or this one
	newer   bool // the text is newer than the one that is being written
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
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.unsaved[name]
	if one == nil {
		one = &value{}
		d.unsaved[name] = one
		d.queue = append(d.queue, name)
	}
	one.text, one.failed, one.newer = text, failed, one.writing
	d.startWriter()
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
		text, failed := one.text, one.failed
		d.mu.Unlock()

		replaced := d.watch(name)
		err := write(filepath.Join(d.path, name), text)
		hung := replaced()
		if err != nil {
			failed(err)
		}
		if d.finish(name, hung) {
			return
		}
	}
}

// finish records that a write has ended. It reports whether another goroutine has taken the writer's place.
func (d *Dir) finish(name string, hung bool) (replaced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one := d.unsaved[name]; one.newer {
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

// watch counts a write as hanging if it takes too long, and lets another goroutine take the place of the writer. The
// returned function ends that, and reports whether the write was counted.
func (d *Dir) watch(name string) (end func() bool) {
	counted, over := false, false
	timer := time.AfterFunc(hangs, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if over {
			return
		}
		counted = true
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
		go d.log.Warn("the state directory does not respond; archiving continues, and the service's status is not saved",
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
// unchanged. The error is ErrHangs if the directory does not respond.
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
	if one == nil {
		var err error
		if text, err = d.content(name); err != nil || text == nil {
			return err
		}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Join(d.path, name), err)
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
	timer := time.NewTimer(hangs)
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
		for name := range d.unsaved {
			names = append(names, name)
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
