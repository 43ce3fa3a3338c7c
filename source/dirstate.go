package source

import (
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// A Glance remembers what a capture was made from, so that it can be told at next to no cost
// that another one would be the same. A nil Glance can tell nothing.
type DirState struct {
	seen map[string]identity // by path: the directories, and the files that are being written
}

// settled is how long ago all of it must have changed for a Glance to be trusted: what
// changes twice within a tick of the file system's clock looks as if it had once.
const settled = 2 * time.Second

// State looks at what a capture of this directory was made from. It must be called right
// after it.
func (d *Directory) State(c *Capture) *DirState {
	if d.layout.quiet > 0 {
		return nil // there, time alone changes what is closed
	}
	g, taken := &DirState{seen: map[string]identity{}}, d.hooks.now()
	look := func(name string) { g.seen[d.at(name)] = identity{} }
	look("")
	for dir := range c.Dirs {
		look(dir) // one without files may be a mount point
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

// Unchanged reports whether nothing has changed since: no log file has come, gone or grown. What
// is written to a closed file in place it does not see.
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
