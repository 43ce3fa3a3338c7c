package source

import (
	"context"
	"fmt"
)

// maxRounds is how often a capture tries to read a consistent set. One round is enough unless
// files are created or deleted in the milliseconds that it takes.
const maxRounds = 50

// Capture returns the set of log files that existed at one instant, while the database writes to
// the directory. Capture calls want once for each closed file, and again if the file changes. If
// want returns true, the file is opened at once and can be read even after it is deleted. The
// tail is always opened. A nil want opens all files. want is called from one goroutine, in no
// particular order, and must not block.
//
// A directory without log files gives a Capture without Files. Errors wrap ErrMissing if the
// directory does not exist, ErrVanished if it changed in every attempt, and the cause of ctx if
// that ends.
//
// # Why the set is consistent
//
// A round lists the directory (P), opens the wanted files, and lists it again (P'). The round is
// accepted if both of these hold:
//
//   - P' has no name that P does not have.
//   - P' lacks only names of files that were opened after P ended.
//
// Let T be the instant at which P ended. Each file of P existed at T: it was listed in P, and
// opened or listed again after T. Each file that existed at T is in P; otherwise P' would list it
// as new. (The exception is a file that was created and deleted within these milliseconds, which a
// log does not need.) So P is the set that existed at T. Capture assumes that a name in P' is
// still the same file. If it is not, or if the file is written in place, then the file's Content
// reports it in Unchanged, or the next capture does. No single read could exclude a change in the
// moment after it.
//
// The size of the tail is read last. No file was created between P and P', so the database wrote
// to the tail only. A log is written only at its end. So the closed files and the first Size bytes
// of the tail are a prefix of the log, which contains everything written up to T. Suppose that a
// cleaner deleted a file of P after T. Then the records that it moved before are in the prefix, or
// the file itself is captured by its open descriptor. If the size were read first, they might be
// in neither. If the database starts a new file after P', the prefix ends with the whole tail. A
// new file without an entry adds nothing to the log and is left out. A database's recovery
// supports such a prefix.
func (d *Directory) Capture(ctx context.Context, want func(File) bool) (*Capture, error) {
	c := &captureRun{Directory: d, want: want, now: d.hooks.now(), budget: d.hooks.budget()}
	var this *listing
	defer func() { c.shrink(this, 0) }() // after success it has no descriptors
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
	return nil, fmt.Errorf("source %s: the log files changed in each of %d attempts; in the last, %s: %w",
		d.path, maxRounds, moved, ErrVanished)
}

// finish returns the Capture of a listing, and moves the descriptors to it.
func (c *captureRun) finish(l *listing) *Capture {
	made := &Capture{
		Files:   make([]File, len(l.entries)),
		Ignored: l.ignored,
		Dirs:    l.dirs,
		At:      l.ended.UTC(),
		holding: &holding{held: l.entries, sharers: 1, reopen: c.Directory.reopen},
	}
	for i := range l.entries {
		made.Files[i] = l.entries[i].file() // their identities live as long as the capture
	}
	l.entries = nil
	return made
}
