// Package watch reports when a directory of log files may have changed.
package watch

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// spacing is the shortest time between two hints. During that time no events are read, and the kernel merges
	// equal events. So a database that writes all the time costs almost nothing.
	spacing = 500 * time.Millisecond
	// lull is the time without events after which the kernel's queue counts as empty.
	lull = 5 * time.Millisecond
	// renewal is the interval at which the watches are renewed: a directory may be replaced, or mounted later.
	renewal = time.Minute
)

// Dir returns a channel that receives a hint soon after a file was created, written to, renamed or removed in the
// directory or directly below one of its subdirectories. There may be hints without a change. The hints end with
// ctx. If the system cannot watch the directory, as on some network file systems or at a limit, there are no hints,
// and the reason is logged once: callers must also poll.
func Dir(ctx context.Context, dir string, log *slog.Logger) <-chan struct{} {
	return start(ctx, dir, log, spacing)
}

func start(ctx context.Context, dir string, log *slog.Logger, spacing time.Duration) <-chan struct{} {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Info("the directory cannot be watched and is polled instead", "directory", dir, "error", err)
		return nil
	}
	hints := make(chan struct{}, 1)
	go func() {
		defer w.Close()
		d := &directory{Watcher: w, path: dir, log: log, spacing: spacing}
		d.listen(ctx, hints)
	}()
	return hints
}

// directory is a watched directory, with the subdirectories directly below it.
type directory struct {
	*fsnotify.Watcher
	path     string
	log      *slog.Logger
	spacing  time.Duration
	notified bool // it has been logged that the directory cannot be watched
}

func (d *directory) listen(ctx context.Context, hints chan<- struct{}) {
	d.renew()
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.renew()
		case e := <-d.Events:
			d.event(e)
			poke(hints)
			if !d.rest(ctx) {
				return
			}
			poke(hints) // for events during the rest
		case <-d.Errors: // the queue overflowed, so there were events
			poke(hints)
		}
	}
}

// rest waits for the time between two hints, and then reads the events of that time. It returns false if ctx has
// ended.
func (d *directory) rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d.spacing):
	}
	end := time.Now().Add(d.spacing)
	for time.Now().Before(end) {
		select {
		case e := <-d.Events:
			d.event(e)
		case <-d.Errors:
		case <-time.After(lull):
			return true
		}
	}
	return true
}

// event watches a new subdirectory.
func (d *directory) event(e fsnotify.Event) {
	if e.Has(fsnotify.Create) && filepath.Dir(e.Name) == filepath.Clean(d.path) {
		if i, err := os.Lstat(e.Name); err == nil && i.IsDir() {
			d.watch(e.Name)
		}
	}
}

// renew watches the directory and the subdirectories directly below it. For a directory that is already watched, it
// does nothing.
func (d *directory) renew() {
	d.watch(d.path)
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return // the directory is missing, which a run reports
	}
	for _, e := range entries {
		if e.Type()&fs.ModeType == fs.ModeDir {
			d.watch(filepath.Join(d.path, e.Name()))
		}
	}
}

func (d *directory) watch(path string) {
	err := d.Add(path)
	if err == nil || os.IsNotExist(err) || d.notified {
		return
	}
	d.notified = true
	d.log.Info("the directory cannot be watched and is polled instead", "directory", path, "error", err)
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
