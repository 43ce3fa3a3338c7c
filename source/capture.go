package source

import (
	"context"
	"fmt"
)

// maxRounds is how often a capture looks at the directory before it gives up. One
// round is enough unless files come or go in the milliseconds that it takes.
const maxRounds = 50

// Capture takes hold of a set of log files that was there at one instant, whatever the
// database does meanwhile. want is asked once for each closed file (and each version of
// it, should it change) whether its content will be read; those files are opened at once
// and can be read after they were deleted. The tail is always opened. A nil want wants
// all. want is called from one goroutine, in no particular order, and must not block.
//
// A directory without log files gives a Capture without Files. Errors wrap ErrMissing if
// the directory is not there, ErrVanished if it would not hold still, and the context's
// cause when that ends.
//
// # Why the set is consistent
//
// A round lists the directory, opens what is wanted, and lists again. It is accepted if
// the second listing P' shows no name that the first, P, does not, and lacks none but
// those of files that were opened after P ended. Let T be the instant at which P ended.
// Each file of P was there at T: it was seen in P, and opened or seen again after T.
// And each file that was there at T is in P, or P' would have shown it as new; except
// for one that was created and deleted again during these few milliseconds, which a log
// has no use for. So P is what was there at T. (That a name in P' still is of the same
// file is taken for granted. If it is not, or if the file is written to in place, the
// file's Content says so in Unchanged, or the next capture does: no single look could
// rule out a change in the moment after it.)
//
// Then the size of the tail is read, last. No file was created between P and P', so
// whatever the database wrote in that time went into the tail. A log is written at its
// end only, so the closed files and the tail's first Size bytes are a prefix of the log:
// all that was written up to T, and more. In particular, when a cleaner deleted a file of P
// after T, the records that it moved elsewhere before are in the prefix, or the file
// itself is, in its open descriptor; with the size read first they might be in neither.
// Should a new file be begun after P', the prefix ends with the whole tail; one that is
// there and holds no entry adds nothing to it, and is left out. Recovery of
// the database is made for just this: a log that ends somewhere.
func (d *Directory) Capture(ctx context.Context, want func(File) bool) (*Capture, error) {
	c := &captureRun{Directory: d, want: want, now: d.hooks.now(), budget: d.hooks.budget()}
	var this *listing
	defer func() { c.shrink(this, 0) }() // after success there is nothing left in it
	var moved string
	for range maxRounds {
		fresh, err := c.list(ctx, nil, this)
		if err != nil {
			return nil, err
		}
		c.carry(this, fresh)
		this = fresh
		d.hooks.after(listed)
		if err := c.pinAll(ctx, this); err != nil {
			return nil, err
		}
		d.hooks.after(pinned)
		again, err := c.list(ctx, this, this)
		if err != nil {
			return nil, err
		}
		if moved = movedOn(this, again); moved != "" {
			continue
		}
		d.hooks.after(listedAgain)
		if moved, err = c.measureTails(this); err != nil {
			return nil, err
		}
		if moved == "" {
			return c.finish(this), nil
		}
	}
	return nil, fmt.Errorf("source %s: the log files did not hold still in %d attempts; in the last, %s: %w",
		d.path, maxRounds, moved, ErrVanished)
}

// finish makes the Capture of what a listing holds, and takes the descriptors over.
func (c *captureRun) finish(l *listing) *Capture {
	made := &Capture{
		Files:   make([]File, len(l.entries)),
		Ignored: l.ignored,
		Dirs:    l.dirs,
		At:      l.ended.UTC(),
		holding: &holding{held: make([]held, len(l.entries)), sharers: 1, reopen: c.Directory.reopen},
	}
	for i := range l.entries {
		e := &l.entries[i]
		made.Files[i] = e.file()
		made.held[i] = held{was: e.identity, pin: e.pin, claims: 1}
		made.Files[i].was = &made.held[i].was // lives as long as the capture
		e.pin = nil
	}
	return made
}
