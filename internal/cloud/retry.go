package cloud

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// The attempts of a request. Between two attempts there is a random wait of up to 200 ms, 400 ms … 10 s
// (full jitter). The waits of eight attempts take 11 s on average and 22.6 s at most.
const (
	MaxAttempts    = 8
	MaxConnect     = 3 // attempts that fail to connect: 31 s at most
	MaxStandstills = 3 // attempts that fail for lack of traffic: three times Options.Timeout
	FirstBackoff   = 200 * time.Millisecond
	MaxBackoff     = 10 * time.Second
)

// All requests of a bucket share a budget of retries. Otherwise all clients together would send an
// overloaded service eight times as many requests. The budget starts with budgetLeast plus
// budgetPerTransfer for each transfer, and gains one retry with every interval.
const (
	budgetLeast       = 100
	budgetPerTransfer = 20
	budgetInterval    = 3 * time.Second
)

// ErrBudget is reported if the budget has no retry left. It is joined with the error of the last attempt.
var ErrBudget = errors.New("too many requests failed lately, so it was not tried again")

// Budget limits the retries of all requests of a bucket together. It is safe for concurrent use.
type Budget struct{ *rate.Limiter }

// NewBudget returns the budget of a bucket with the given number of concurrent transfers.
func NewBudget(transfers int) *Budget {
	return &Budget{rate.NewLimiter(rate.Every(budgetInterval), budgetLeast+budgetPerTransfer*transfers)}
}

// Spend takes one retry from the budget. It returns ErrBudget if none is left.
func (b *Budget) Spend() error {
	if b.Allow() {
		return nil
	}
	return ErrBudget
}

// IsLastingAnswer reports whether an error is about an answer that another attempt would get again.
func IsLastingAnswer(err error) bool {
	return errors.Is(err, ErrBadListing) || errors.Is(err, ErrBadAnswer) || errors.Is(err, ErrWebPage)
}

// IsPassingStatus reports whether an HTTP status means that the service, or a proxy before it, is busy or failed for the
// moment. Proxies have more such statuses than HTTP defines: 520 to 527, for example.
func IsPassingStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return status >= http.StatusInternalServerError
}

// Backoff returns the wait after the given attempt, counted from 1. It is random.
func Backoff(attempt int) time.Duration {
	limit := MaxBackoff
	if attempt = max(attempt, 1); attempt < 10 {
		limit = min(limit, FirstBackoff<<(attempt-1))
	}
	return rand.N(limit)
}

// Pause waits for d. If ctx ends before, it returns the error of ctx.
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
