package cloud

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// How often a request is tried, and how long is waited in between: a random time of up
// to 200 ms, 400 ms … 10 s (full jitter). Eight attempts of a failing service last 11 s
// on average and 22.6 s at most, besides what the attempts take themselves.
const (
	MaxAttempts    = 8
	MaxConnect     = 3 // attempts that end before there is a connection: 31 s at most
	MaxStandstills = 3 // attempts that end because nothing moved: three times Options.Timeout
	FirstBackoff   = 200 * time.Millisecond
	MaxBackoff     = 10 * time.Second
)

// All requests of a bucket share a budget of further attempts, so that a service in
// trouble is not asked eight times as much by everything at once: so many at first, and
// one more with every interval.
const (
	budgetLeast       = 100
	budgetPerTransfer = 20
	budgetInterval    = 3 * time.Second
)

// ErrBudget ends the attempts of a request, beside what made the last one fail.
var ErrBudget = errors.New("too many requests failed lately, so it was not tried again")

// Budget is what all requests of a bucket may still be tried again.
type Budget struct{ *rate.Limiter }

func NewBudget(transfers int) *Budget {
	return &Budget{rate.NewLimiter(rate.Every(budgetInterval), budgetLeast+budgetPerTransfer*transfers)}
}

// Spend takes one further attempt, or gives the error with which a request ends for lack
// of any.
func (b *Budget) Spend() error {
	if b.Allow() {
		return nil
	}
	return ErrBudget
}

// Backoff is the wait after the given attempt, counted from 1.
func Backoff(attempt int) time.Duration {
	limit := MaxBackoff
	if attempt = max(attempt, 1); attempt < 10 {
		limit = min(limit, FirstBackoff<<(attempt-1))
	}
	return rand.N(limit)
}

// Pause waits, until ctx ends at most.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
