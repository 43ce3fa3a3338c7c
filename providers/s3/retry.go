package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// newRetryer returns the retryer for the AWS SDK. It has the SDK's rules, except that errors that will not pass
// are not retried, that conflicts are, and that our budget replaces the SDK's quota.
func newRetryer(b *cloud.Budget) *retryer {
	return &retryer{budget: b, Standard: retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = cloud.MaxAttempts
		o.MaxBackoff = cloud.MaxBackoff
		o.RateLimiter = ratelimit.None
	})}
}

type retryer struct {
	*retry.Standard
	budget           *cloud.Budget
	conflictsAreLast bool // a conflict is not tried again
}

// endOnConflict is an option for the request that completes an upload: after a conflict, the service demands a new
// upload.
func endOnConflict(o *s3.Options) {
	if r, ok := o.Retryer.(*retryer); ok {
		last := *r
		last.conflictsAreLast = true
		o.Retryer = &last
	}
}

// GetRetryToken implements aws.Retryer.
func (r *retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return func(error) error { return nil }, r.budget.Spend()
}

// IsErrorRetryable implements aws.Retryer. The SDK treats each error while sending as a connection error,
// even a failure to read the content.
func (r *retryer) IsErrorRetryable(err error) bool {
	var src *cloud.BodyError
	if errors.As(err, &src) || cloud.BadCertificate(err) || cloud.NoCredentials(err) {
		return false
	}
	if dialect.Classify(err) == cloud.Busy {
		return !r.conflictsAreLast
	}
	return r.Standard.IsErrorRetryable(err)
}

// RetryDelay implements aws.Retryer. Its error ends the attempts.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	switch k := dialect.Classify(err); {
	case k == cloud.Unreachable && attempt >= cloud.MaxConnect, k == cloud.TimedOut && attempt >= cloud.MaxStandstills:
		return 0, err
	}
	return cloud.Backoff(attempt), nil
}

var _ aws.Retryer = (*retryer)(nil)
