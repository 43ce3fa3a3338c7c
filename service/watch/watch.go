// Package watch reports when directories of log files may have changed.
package watch

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// spacing is the shortest time between two hints. During that time no events are read, and the kernel merges
	// equal events. So databases that write all the time cost almost nothing.
	spacing = 500 * time.Millisecond
	// lull is the time without events after which the kernel's queue counts as empty.
	lull = 5 * time.Millisecond
	// renewal is the interval at which the watches are renewed: a directory may be replaced, or mounted later.
	renewal = time.Minute
	// maxCreated is the number of new names in a directory that wait for a look.
	maxCreated = 64
)

// Watcher watches any number of directories with one instance of inotify: the system permits few of them to a user,
// 128 by default. It is safe for concurrent use.
type Watcher struct {
	log     *slog.Logger
	spacing time.Duration
	events  *fsnotify.Watcher // nil if the system cannot watch
	reason  error             // why it cannot

	mu          sync.Mutex
	directories map[*directory]bool
	paths       map[string]fileID                // of the watched directories
	users       map[fileID]map[*directory]string // with the path by which each watches
}

// New returns a watcher, which ends with ctx.
func New(ctx context.Context, log *slog.Logger) *Watcher { return newWatcher(ctx, log, spacing) }

func newWatcher(ctx context.Context, log *slog.Logger, spacing time.Duration) *Watcher {
	w := &Watcher{
		log: log, spacing: spacing,
		directories: map[*directory]bool{}, paths: map[string]fileID{}, users: map[fileID]map[*directory]string{},
	}
	w.events, w.reason = fsnotify.NewWatcher()
	if w.reason == nil {
		go w.listen(ctx)
	}
	return w
}

// Dir returns a channel that receives a hint soon after a file was created, written to, renamed or removed in the
// directory or directly below one of its subdirectories. There may be hints without a change. The hints end with
// ctx. If the system cannot watch the directory, as on some network file systems or at a limit, there are no hints,
// and the reason is logged once: callers must also poll.
func (w *Watcher) Dir(ctx context.Context, dir string) <-chan struct{} {
	if w.reason != nil {
		w.log.Info("the directory cannot be watched and is polled instead", "directory", dir, "error", w.reason)
		return nil
	}
	d := &directory{
		w: w, path: filepath.Clean(dir), hints: make(chan struct{}, 1), created: make(chan string, maxCreated),
	}
	w.mu.Lock()
	w.directories[d] = true
	w.mu.Unlock()
	go d.keep(ctx)
	return d.hints
}

// listen passes the events on, until ctx ends.
func (w *Watcher) listen(ctx context.Context) {
	defer w.events.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.events.Events:
			hint(w.concerned(e))
		case <-w.events.Errors: // the queue overflowed, so there were events
			hint(w.all())
		}
		if !w.rest(ctx) {
			return
		}
	}
}

// rest waits for the time between two hints, and then passes on the events of that time. It returns false if ctx has
// ended.
func (w *Watcher) rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(w.spacing):
	}
	concerned := map[*directory]bool{}
	defer func() { hint(concerned) }()
	end := time.Now().Add(w.spacing)
	for time.Now().Before(end) {
		select {
		case e := <-w.events.Events:
			maps.Copy(concerned, w.concerned(e))
		case <-w.events.Errors:
			maps.Copy(concerned, w.all())
		case <-time.After(lull):
			return true
		}
	}
	return true
}

// concerned returns the directories that an event concerns.
func (w *Watcher) concerned(e fsnotify.Event) map[*directory]bool {
	found := map[*directory]bool{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, path := range []string{filepath.Dir(e.Name), e.Name} {
		id, ok := w.paths[path]
		if !ok {
			continue
		}
		for d := range w.users[id] {
			found[d] = true
			if e.Has(fsnotify.Create) {
				d.note(filepath.Base(e.Name))
			}
		}
	}
	return found
}

// all returns all directories, after events were lost.
func (w *Watcher) all() map[*directory]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d := range w.directories {
		d.note("")
	}
	return maps.Clone(w.directories)
}

// hint gives a hint to directories.
func hint(these map[*directory]bool) {
	for d := range these {
		poke(d.hints)
	}
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
