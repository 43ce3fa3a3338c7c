package guard

import (
	"context"
	"errors"
	"time"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/source"
)

// pressureEvery is how often a running backup checks whether the database needs the space of deleted files that the
// capture still holds.
const pressureEvery = 5 * time.Second

// scratchEvery is how often it checks the space of its scratch files, which may be on the database's disk.
const scratchEvery = time.Second

// CancelOnDiskPressure returns a context that is canceled when the database needs that space. The next attempt then
// captures without the deleted files. For lack of scratch space the backup fails, which releases its scratch files.
func (r *Source) CancelOnDiskPressure(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go watchSpace(ctx, pressureEvery, r.Capture.CheckDiskPressure, cancel)
	if r.Repo.Encoder != nil {
		go watchSpace(ctx, scratchEvery, r.Repo.Encoder.CheckScratch, cancel)
	}
	return ctx, func() { cancel(nil) }
}

// IsPressure reports whether an error ended a backup because space on a disk has run short.
func IsPressure(err error) bool {
	return errors.Is(err, source.ErrDiskPressure) || errors.Is(err, encoding.ErrNoSpace)
}

// watchSpace calls check regularly until ctx ends, and cancels with its error.
func watchSpace(ctx context.Context, every time.Duration, check func() error, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := check(); err != nil {
				cancel(err)
				return
			}
		}
	}
}
