package providers

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
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

// backoff is the wait after the given attempt, counted from 1.
func backoff(attempt int) time.Duration {
	limit := maxBackoff
	if attempt = max(attempt, 1); attempt < 10 {
		limit = min(limit, firstBackoff<<(attempt-1))
	}
	return rand.N(limit)
}

// newRetryer decides for the AWS SDK. Its own rules stand, but what cannot get better is
// not tried again, and there is no quota over requests: the attempts are bounded.
func newRetryer() aws.Retryer {
	return &retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
	})}
}

type retryer struct{ *retry.Standard }

// IsErrorRetryable implements aws.Retryer. The SDK takes every error in sending for one
// of the connection, also one in reading what is to be sent.
func (r *retryer) IsErrorRetryable(err error) bool {
	var src *sourceError
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
