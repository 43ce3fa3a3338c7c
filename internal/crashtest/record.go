// Package crashtest simulates the states of a directory that a power loss can leave. A Recorder logs each operation
// of internal/disk below the directory. At returns the file system's state after a part of that log, and Lose
// chooses which unsynced changes survive. The result is written into a new directory, in which the program itself
// then runs.
//
// The model follows POSIX and no particular file system. The content of a file survives after a sync of the file,
// and a name after a sync of its directory. Each unsynced name and each unsynced write may or may not survive, in
// any order. An operation is indivisible: a name refers to its old file or to its new one.
package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A Log is the operations on a directory, in order. Its base is the directory's durable content at the beginning.
type Log struct {
	base     *node
	events   []event
	syncsAll bool // see Recorder.SyncAll
}

// event is an operation that succeeded. Names are relative to the directory.
type event struct {
	kind   disk.Kind
	path   string
	to     string
	handle int // of an open file
	flag   int
	offset int64
	data   []byte
	time   time.Time
	note   string // a test's note, if the event is not an operation
}

const note disk.Kind = -1

// Len is the number of events.
func (l *Log) Len() int { return len(l.events) }

// Before returns the log up to an event.
func (l *Log) Before(n int) *Log { return &Log{l.base, l.events[:n:n], l.syncsAll} }

// Notes returns the notes before event n.
func (l *Log) Notes(n int) []string {
	var notes []string
	for _, e := range l.events[:n] {
		if e.kind == note {
			notes = append(notes, e.note)
		}
	}
	return notes
}

// Changes reports whether event n may change the states that a power loss can leave, or is a note.
func (l *Log) Changes(n int) bool {
	e := &l.events[n]
	return e.kind != disk.Open || e.flag&(os.O_CREATE|os.O_TRUNC) != 0
}

// Names reports whether event n gives a file its name.
func (l *Log) Names(n int) bool {
	return l.events[n].kind == disk.Link || l.events[n].kind == disk.Rename
}

// String describes event n for a message.
func (l *Log) String(n int) string {
	e := &l.events[n]
	switch e.kind {
	case note:
		return "note " + e.note
	case disk.Open:
		return fmt.Sprintf("open %s (%#x) as %d", e.path, e.flag, e.handle)
	case disk.Write:
		return fmt.Sprintf("write %d bytes at %d to %d", len(e.data), e.offset, e.handle)
	case disk.Truncate:
		return fmt.Sprintf("truncate %d to %d", e.handle, e.offset)
	case disk.Sync:
		return fmt.Sprintf("sync %d", e.handle)
	case disk.SyncAll:
		return "sync all"
	case disk.Times:
		return "set the time of " + e.path
	case disk.Mkdir:
		return "mkdir " + e.path
	case disk.Link:
		return fmt.Sprintf("link %s to %s", e.path, e.to)
	case disk.Rename:
		return fmt.Sprintf("rename %s to %s", e.path, e.to)
	}
	return "remove " + e.path
}

// Around describes the events before event n, for a message.
func (l *Log) Around(n int) string {
	var b strings.Builder
	for i := max(0, n-8); i < n; i++ {
		fmt.Fprintf(&b, "\t%d: %s\n", i, l.String(i))
	}
	return b.String()
}

// A Recorder logs the operations in a directory.
type Recorder struct {
	t    testing.TB
	dir  string
	mu   sync.Mutex
	log  Log
	open map[*disk.File]int
	last int // handle
	stop func()
}

// Stop ends the recording.
func (r *Recorder) Stop() { r.stop() }

// Record logs the operations below a directory until Stop. The present content counts as durable.
func Record(t testing.TB, dir string) *Recorder {
	t.Helper()
	base, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return record(t, dir, &Log{base: base})
}

// Continue extends a log in a directory that was made from the whole log. It simulates a killed program on a
// running system.
func Continue(t testing.TB, dir string, l *Log) *Recorder {
	t.Helper()
	return record(t, dir, l)
}

func record(t testing.TB, dir string, l *Log) *Recorder {
	r := &Recorder{t: t, dir: dir, log: Log{l.base, append([]event{}, l.events...), l.syncsAll}, open: map[*disk.File]int{}}
	for _, e := range l.events {
		r.last = max(r.last, e.handle)
	}
	r.stop = disk.Observe(dir, r)
	return r
}

// Log returns the log up to now.
func (r *Recorder) Log() *Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Before(len(r.log.events))
}

// Note adds a note to the log, such as a result that was reported to a user.
func (r *Recorder) Note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.events = append(r.log.events, event{kind: note, note: text})
}

// SyncAll makes programs sync the whole file system where that is worthwhile, and not each file.
func (r *Recorder) SyncAll() { r.log.syncsAll = true }

// CanSyncAll answers disk.File's method of that name.
func (r *Recorder) CanSyncAll() bool { return r.log.syncsAll }

// Change implements disk.Observer. It executes one operation at a time, so that their order in the log is the order
// of execution.
func (r *Recorder) Change(op *disk.Op, do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	e := event{kind: op.Kind, flag: op.Flag, offset: op.Offset, time: op.Time}
	switch op.Kind {
	case disk.Open:
		r.last++
		r.open[op.File] = r.last
		e.handle, e.path = r.last, r.below(op.Path)
	case disk.Write, disk.Truncate, disk.Sync, disk.SyncAll:
		e.handle = r.open[op.File]
		e.data = append([]byte(nil), op.Data...)
		if op.Kind == disk.Write && len(e.data) == 0 {
			return nil
		}
	default:
		e.path = r.below(op.Path)
		if op.To != "" {
			e.to = r.below(op.To)
		}
	}
	r.log.events = append(r.log.events, e)
	return nil
}

func (r *Recorder) below(path string) string {
	rel, err := filepath.Rel(r.dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		r.t.Errorf("%s is not below %s, whose operations are recorded", path, r.dir)
		return "."
	}
	return filepath.ToSlash(rel)
}
