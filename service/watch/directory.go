package watch

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fileID identifies a directory whatever its path. The kernel has one watch for all paths of a directory, and reports
// one of them.
type fileID struct{ device, inode uint64 }

// directory is a directory of log files, with the subdirectories directly below it. Its goroutine alone reads the
// directory, since that may hang on a network file system.
type directory struct {
	w       *Watcher
	path    string
	hints   chan struct{}
	created chan string // names of new files; "" if some are not known
	logged  bool        // that it cannot be watched
}

// note records a new name. If too many wait, the next renewal finds it.
func (d *directory) note(name string) {
	select {
	case d.created <- name:
	default:
	}
}

// keep watches until ctx ends.
func (d *directory) keep(ctx context.Context) {
	defer d.w.forget(d)
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	d.renew()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.renew()
		case name := <-d.created:
			if name == "" {
				d.renew()
				continue
			}
			if path := filepath.Join(d.path, name); isDirectory(path) {
				d.watch(path)
				poke(d.hints) // for what was written into it before
			}
		}
	}
}

func isDirectory(path string) bool {
	i, err := os.Lstat(path)
	return err == nil && i.IsDir()
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

// watch adds a watch. It reads the path first: a call to the watcher that hangs would stop all directories.
func (d *directory) watch(path string) {
	i, err := os.Stat(path)
	if err == nil {
		err = d.w.events.Add(path)
	}
	switch {
	case err == nil:
		d.w.use(d, path, idOf(i))
	case !os.IsNotExist(err) && !d.logged:
		d.logged = true
		d.w.log.Info("the directory cannot be watched and is polled instead", "directory", path, "error", err)
	}
}

func idOf(i fs.FileInfo) fileID {
	s, ok := i.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{uint64(s.Dev), uint64(s.Ino)} // types differ between systems
}

// use records that a directory watches a path.
func (w *Watcher) use(d *directory, path string, id fileID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if was, ok := w.paths[path]; ok && was != id { // it was replaced
		delete(w.users[was], d)
		if len(w.users[was]) == 0 {
			delete(w.users, was)
		}
	}
	w.paths[path] = id
	if w.users[id] == nil {
		w.users[id] = map[*directory]string{}
	}
	w.users[id][d] = path
}

// forget ends the watches that only d uses.
func (w *Watcher) forget(d *directory) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.directories, d)
	for id, users := range w.users {
		path, ok := users[d]
		if !ok {
			continue
		}
		delete(users, d)
		if len(users) == 0 {
			delete(w.users, id)
			delete(w.paths, path)
			_ = w.events.Remove(path) // an error means that the watch has ended
		}
	}
}
