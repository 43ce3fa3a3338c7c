package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// captureRun is one call of Capture.
type captureRun struct {
	*Directory
	want   func(File) bool
	now    time.Time // the same for all listings, so that no file becomes quiet between two of them
	budget int       // how many files may be open
	pins   int       // how many files are open

	firstEntries map[string]firstEntry // by name, of the files whose beginning was read
}

// list returns the entries of the directory that belong to the set. If descriptors have run out,
// it closes some of those that the listing holding has open, and tries again.
func (c *captureRun) list(ctx context.Context, known, holding *listing) (*listing, error) {
	for {
		l, err := c.Directory.list(ctx, known)
		if err == nil && !l.isSame {
			err = c.classify(ctx, l)
		}
		switch {
		case err == nil:
			return l, nil
		case !isShort(err) || c.pins == 0:
			return nil, err
		}
		c.budget = c.pins * 3 / 4
		c.shrink(holding, c.budget)
	}
}

// pinAll opens the wanted files of a listing that are not open yet. The tail comes first, since its
// size is read last. The others follow by name, since cleaners delete the oldest files first.
func (c *captureRun) pinAll(ctx context.Context, l *listing) error {
	for _, state := range []State{Tail, Closed} {
		for i := range l.entries {
			e := &l.entries[i]
			if e.state != state {
				continue
			}
			if i%1024 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			short, err := c.pin(e)
			if err != nil {
				return err
			}
			if short {
				// The next listing, for instance, needs descriptors too. A file that is closed here
				// is opened when it is read.
				c.budget = c.pins * 3 / 4
				c.shrink(l, c.budget)
			}
		}
	}
	return nil
}

// pin opens one file if it is wanted. A file that is gone, or that is no longer the listed one, is
// marked as missed, which causes another round. It returns short if descriptors have run out.
func (c *captureRun) pin(e *entry) (short bool, err error) {
	if e.want == unasked {
		e.want = unwanted
		if e.state == Tail || c.want == nil || c.want(e.file()) {
			e.want = wanted
		}
	}
	switch {
	case e.want == unwanted:
		c.unpin(e) // it was open as the tail, and is now closed
		return false, nil
	case e.pin != nil || c.pins >= c.budget && e.state != Tail:
		return false, nil
	}
	f, err := c.hooks.open(c.at(e.name))
	switch {
	case err == nil:
	case isShort(err):
		return true, nil
	case isGone(err):
		e.missed = true
		return false, nil
	default:
		return false, c.unreadable(e.name, err)
	}
	id, regular, err := statOpen(f)
	if err != nil {
		f.Close()
		return false, c.unreadable(e.name, err)
	}
	if !regular || !e.holds(&id, e.state) {
		e.missed = true
		f.Close()
		return false, nil
	}
	e.pin, e.fresh = &pin{File: f, claims: 1}, true
	c.pins++
	return false, nil
}

func (c *captureRun) unpin(e *entry) {
	if e.pin != nil {
		e.pin.Close()
		e.pin = nil
		c.pins--
	}
}

// shrink closes descriptors until only keep are left, starting with the newest files.
func (c *captureRun) shrink(l *listing, keep int) {
	if l == nil {
		return
	}
	for i := len(l.entries) - 1; i >= 0 && c.pins > keep; i-- {
		if e := &l.entries[i]; e.state != Tail || keep == 0 {
			c.unpin(e)
		}
	}
}

// movedOn describes, for error messages, a change between two listings that rules out the first;
// "" if there is none.
func movedOn(this, next *listing) string {
	var moved string
	if next.isSame {
		next = this
	}
	merge(this, next, func(a, b *entry) bool {
		switch {
		case a == nil:
			moved = b.name + " appeared"
		case a.missed:
			moved = a.name + " was deleted or replaced before it could be opened"
		case b == nil && (a.pin == nil || !a.fresh):
			moved = a.name + " vanished"
		case b != nil && a.state != b.state:
			moved = a.name + " changed from " + a.state.String() + " to " + b.state.String()
		case b != nil && !a.holds(&b.identity, a.state):
			moved = a.name + ": " + a.describe(&b.identity)
		}
		return moved == ""
	})
	return moved
}

// carry moves the descriptors and the results of want from one listing to the next, and closes
// the descriptors that the next one does not need.
func (c *captureRun) carry(this, next *listing) {
	if this == nil {
		return
	}
	merge(this, next, func(a, b *entry) bool {
		switch {
		case a == nil:
		case b == nil || !a.sameFile(&b.identity):
			c.unpin(a)
		default:
			b.pin, a.pin = a.pin, nil
			if a.state == b.state && a.holds(&b.identity, a.state) {
				b.want = a.want
			}
		}
		return true
	})
}

// merge calls f with the entries of both listings, in pairs by name, until f returns false. If one
// listing lacks a name, its entry is nil.
func merge(this, next *listing, f func(a, b *entry) bool) {
	x, y := this.entries, next.entries
	for len(x) > 0 || len(y) > 0 {
		var a, b *entry
		if len(y) == 0 || len(x) > 0 && x[0].name <= y[0].name {
			a = &x[0]
		}
		if len(x) == 0 || len(y) > 0 && y[0].name <= x[0].name {
			b = &y[0]
		}
		if !f(a, b) {
			return
		}
		if a != nil {
			x = x[1:]
		}
		if b != nil {
			y = y[1:]
		}
	}
}

// measureTails updates the sizes of the tails. It returns a description of the change if a tail is
// no longer the same file.
func (c *captureRun) measureTails(l *listing) (moved string, err error) {
	for i := range l.entries {
		e := &l.entries[i]
		if e.state != Tail {
			continue
		}
		// By the name and not by the descriptor: this also checks that the open file is still
		// the one that the database writes.
		var st unix.Stat_t
		err := retry(func() error { return unix.Stat(c.at(e.name), &st) })
		switch {
		case err != nil && isGone(err):
			return e.name + " vanished", nil
		case err != nil:
			return "", c.unreadable(e.name, err)
		}
		id, _ := identify(&st)
		if !e.holds(&id, Tail) {
			return e.name + ": " + e.describe(&id), nil
		}
		e.identity = id
	}
	return "", nil
}

// unreadable returns the error for a log file that exists and cannot be read.
func (d *Directory) unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("source %s: file %s: %w; permission to read it is needed", d.path, name, bare(err))
	}
	return fmt.Errorf("source %s: file %s: %w", d.path, name, bare(err))
}
