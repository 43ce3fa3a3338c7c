package source

import (
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// A DirState is the state of a directory at a capture. It lets a caller check cheaply whether
// another capture would return the same set. A nil DirState is always changed.
type DirState struct {
	seen map[string]identity // by path, of the directories and of the files that are being written
}

// settled is the minimum age of the last change for a reliable DirState: two changes within one
// tick of the file system's clock look like one.
const settled = 2 * time.Second

// State returns the state of the directory at a capture. It must be called right after Capture. It
// returns nil if the state would not be reliable.
func (d *Directory) State(c *Capture) *DirState {
	if d.layout.byQuiet {
		return nil // files become closed without a change; with a quiet time of 0, closed files may grow
	}
	g, taken := &DirState{seen: map[string]identity{}}, d.hooks.now()
	look := func(name string) { g.seen[d.at(name)] = identity{} }
	look("")
	for dir := range c.Dirs {
		look(dir) // a directory without files may be a mount point
	}
	for i := range c.Files {
		f := &c.Files[i]
		if dir := path.Dir(f.Name); dir != "." {
			look(dir)
		}
		if f.State == Tail {
			look(f.Name)
		}
	}
	for _, f := range c.Ignored {
		look(f.Name)
	}
	for name := range g.seen {
		id, ok := statPath(name)
		if quiet := taken.Add(-settled).UnixNano(); !ok || id.mtime > quiet || id.ctime > quiet {
			return nil
		}
		g.seen[name] = id
	}
	return g
}

// Unchanged reports whether no log file was created, deleted or extended since. It does not detect
// writes to a closed file in place.
func (g *DirState) Unchanged() bool {
	if g == nil {
		return false
	}
	for name, was := range g.seen {
		if now, ok := statPath(name); !ok || now != was {
			return false
		}
	}
	return true
}

func statPath(name string) (identity, bool) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Stat(name, &st) }); err != nil {
		return identity{}, false
	}
	id, _ := identify(&st)
	return id, true
}
