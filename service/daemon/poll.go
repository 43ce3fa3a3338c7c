package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
)

// errNotLoaded means that the archive has not been read since the start.
var errNotLoaded = errors.New("the archive has not been read yet")

// look returns what is pending: the files that changed since the newest snapshot.
func (k *managedArchive) look(ctx context.Context) (scheduler.Pending, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Pending{}, err
	}
	k.mu.Lock()
	loaded := k.known.loaded
	k.mu.Unlock()
	if !loaded {
		return scheduler.Pending{}, errNotLoaded // or the whole source would count as pending
	}
	k.mu.Lock()
	seen := k.seen
	k.mu.Unlock()
	now := k.d.o.Now()
	if age := now.Sub(seen.at); age >= 0 && age < pollAgain && seen.glance.Unchanged() {
		return seen.pending, nil
	}
	src, err := to.Source()
	if err != nil {
		return scheduler.Pending{}, err
	}
	c, err := src.Capture(ctx, func(source.File) bool { return false })
	if err != nil {
		return scheduler.Pending{}, err
	}
	defer c.Close()
	a, err := to.Pending(c.Files)
	if err != nil {
		return scheduler.Pending{}, err
	}
	seen = polled{glance: src.State(c), at: now}
	seen.pending = scheduler.Pending{Files: int64(a.Files), Bytes: a.Bytes, Closed: int64(a.Closed), Fingerprint: a.Fingerprint}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = seen
	return seen.pending, nil
}

// polled is the result of a poll of the source. It is valid while the directory's state is unchanged, and for at
// most pollAgain: the directory's state does not show every change.
type polled struct {
	glance  *source.DirState
	pending scheduler.Pending
	at      time.Time
}

const pollAgain = time.Minute
