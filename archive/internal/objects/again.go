package objects

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/values"
)

// RaceAttempts is how often an operation starts over because another writer took the number, and thereby made progress.
const RaceAttempts = 32

// A Retry is a kind of error after which an operation starts over.
type Retry struct {
	Is       func(error) bool
	Attempts int // with that many errors of the kind it gives up; 0 for no bound, where each attempt makes progress
	GaveUp   func(attempts int, err error) error
}

// Raced is the kind of the errors that are one of these: another writer was first. After RaceAttempts the error is
// ErrLostRace.
func Raced(are ...error) Retry {
	is := func(err error) bool { return slices.ContainsFunc(are, func(r error) bool { return errors.Is(err, r) }) }
	return Retry{is, RaceAttempts, func(attempts int, err error) error {
		return fmt.Errorf("gave up after %d attempts: %w: %w", attempts, values.ErrLostRace, err)
	}}
}

// StartOver calls do again, after a pause, while its error is of one of the kinds. It returns the first other error. An
// error of several kinds is of the first. The pauses grow with the errors of the kinds that have a bound. what is the
// operation, for the log.
func (a *Objects) StartOver(ctx context.Context, what string, do func() error, kinds ...Retry) error {
	attempts, bounded := make([]int, len(kinds)), 0
	for {
		err := do()
		i := slices.IndexFunc(kinds, func(k Retry) bool { return k.Is(err) })
		if err == nil || i < 0 {
			return err
		}
		if k := &kinds[i]; k.Attempts > 0 {
			bounded++
			if attempts[i]++; attempts[i] == k.Attempts {
				return k.GaveUp(attempts[i], err)
			}
		}
		a.Log.Debug("an operation starts over", "operation", what, "reason", err)
		if err := Pause(ctx, bounded); err != nil {
			return err
		}
	}
}

// maxPause is the attempt from which on Pause waits no longer.
const maxPause = 4

// Pause waits before attempt n, for a random time of at most 0.2 s times 2 to the power of n, or of maxPause.
func Pause(ctx context.Context, n int) error { return LongPause(ctx, min(n, maxPause)) }

// LongPause is Pause without the bound of maxPause: each pause is about twice as long as the one before.
func LongPause(ctx context.Context, n int) error { return Sleep(ctx, rand.N(200*time.Millisecond<<n)) }

// Sleep waits for d, or until the context ends.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
