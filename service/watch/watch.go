// Package watch tells when something may have happened in a directory of log files.
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
	// spacing is the shortest time between two hints. While it lasts nothing is read from
	// the kernel, which meanwhile puts equal events into one: a database that writes all the
	// time costs next to nothing.
	spacing = 500 * time.Millisecond
	// lull is how long nothing must come for the kernel's queue to count as read.
	lull = 5 * time.Millisecond
	// renewal is how often what is watched is looked up again: a directory may be replaced,
	// or mounted later.
	renewal = time.Minute
)

// Dir returns a channel on which something comes, soon, after a file in the directory or in
// one of those directly below it was made, written to, renamed or removed; more often than
// needed at times. It ends with ctx. Where the system cannot watch (some network file
// systems, or a limit is reached) nothing comes: whoever listens looks from time to time
// anyway. Why is logged, once.
func Dir(ctx context.Context, dir string, log *slog.Logger) <-chan struct{} {
	return start(ctx, dir, log, spacing)
}

func start(ctx context.Context, dir string, log *slog.Logger, spacing time.Duration) <-chan struct{} {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Info("the directory cannot be watched, and is looked at from time to time", "directory", dir, "error", err)
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

// directory is one that is watched, with those below it.
type directory struct {
	*fsnotify.Watcher
	path    string
	log     *slog.Logger
	spacing time.Duration
	told    bool // that it cannot be watched
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
			poke(hints) // for what came meanwhile
		case <-d.Errors: // the queue ran over: something has happened
			poke(hints)
		}
	}
}

// rest lets the time pass that is between two hints, and reads what has come. It returns
// false when ctx has ended.
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

// event looks whether a directory has come.
func (d *directory) event(e fsnotify.Event) {
	if e.Has(fsnotify.Create) && filepath.Dir(e.Name) == filepath.Clean(d.path) {
		if i, err := os.Lstat(e.Name); err == nil && i.IsDir() {
			d.watch(e.Name)
		}
	}
}

// renew watches the directory and those directly below it, which does nothing where that is
// so already.
func (d *directory) renew() {
	d.watch(d.path)
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return // it is away, which a run will tell
	}
	for _, e := range entries {
		if e.Type()&fs.ModeType == fs.ModeDir {
			d.watch(filepath.Join(d.path, e.Name()))
		}
	}
}

func (d *directory) watch(path string) {
	err := d.Add(path)
	if err == nil || os.IsNotExist(err) || d.told {
		return
	}
	d.told = true
	d.log.Info("the directory cannot be watched, and is looked at from time to time", "directory", path, "error", err)
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
