package providers

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"golang.org/x/time/rate"
)

// How often a request is tried, and how long is waited in between: a random time of up
// to 200 ms, 400 ms … 10 s (full jitter). Eight attempts of a failing service last 11 s
// on average and 22.6 s at most, besides what the attempts take themselves.
const (
	maxAttempts    = 8
	maxConnect     = 3 // attempts that end before there is a connection: 31 s at most
	maxStandstills = 3 // attempts that end because nothing moved: three times Options.Timeout
	firstBackoff   = 200 * time.Millisecond
	maxBackoff     = 10 * time.Second
)

// All requests of a bucket share a budget of further attempts, so that a service in
// trouble is not asked eight times as much by everything at once: so many at first, and
// one more with every interval.
const (
	budgetLeast       = 100
	budgetPerTransfer = 20
	budgetInterval    = 3 * time.Second
)

// errBudget ends the attempts of a request, beside what made the last one fail.
var errBudget = errors.New("too many requests failed lately, so it was not tried again")

// budget is what all requests of a bucket may still be tried again.
type budget struct{ *rate.Limiter }

func newBudget(transfers int) *budget {
	return &budget{rate.NewLimiter(rate.Every(budgetInterval), budgetLeast+budgetPerTransfer*transfers)}
}

// spend takes one further attempt, or gives the error with which a request ends for lack
// of any.
func (b *budget) spend() error {
	if b.Allow() {
		return nil
	}
	return errBudget
}

// backoff is the wait after the given attempt, counted from 1.
func backoff(attempt int) time.Duration {
	limit := maxBackoff
	if attempt = max(attempt, 1); attempt < 10 {
		limit = min(limit, firstBackoff<<(attempt-1))
	}
	return rand.N(limit)
}

// newRetryer decides for the AWS SDK. Its own rules stand, but what cannot get better is
// not tried again, and our budget takes the place of its quota.
func newRetryer(b *budget) aws.Retryer {
	return &retryer{budget: b, Standard: retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
	})}
}

type retryer struct {
	*retry.Standard
	budget *budget
}

// GetRetryToken implements aws.Retryer.
func (r *retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return func(error) error { return nil }, r.budget.spend()
}

// IsErrorRetryable implements aws.Retryer. The SDK takes every error in sending for one
// of the connection, also one in reading what is to be sent.
func (r *retryer) IsErrorRetryable(err error) bool {
	var src *bodyError
	if errors.As(err, &src) || badCertificate(err) || noCredentials(err) {
		return false
	}
	return r.Standard.IsErrorRetryable(err)
}

// RetryDelay implements aws.Retryer. Its error ends the attempts.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	switch k := classify(err); {
	case k == Unreachable && attempt >= maxConnect, k == TimedOut && attempt >= maxStandstills:
		return 0, err
	}
	return backoff(attempt), nil
}
