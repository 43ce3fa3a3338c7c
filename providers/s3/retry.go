package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

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
	if errors.As(err, &src) || cloud.BadCertificate(err) || cloud.NoCredentials(err) || cloud.IsLastingAnswer(err) ||
		apiCode(err) == codeNoCapacity { // that lasts for minutes; the caller tries again
		return false
	}
	switch dialect.Classify(err) {
	case cloud.Busy:
		return !r.conflictsAreLast
	case cloud.Throttled:
		return true // the SDK does not know the codes of all services
	case cloud.Denied, cloud.NotFound, cloud.NoBucket, cloud.Precondition, cloud.Protected, cloud.Frozen, cloud.Blocked, cloud.Misconfigured:
		return false // the SDK takes an error in an answer with the status 200 for one that passes
	}
	return cloud.IsPassingStatus(statusOf(err)) || r.Standard.IsErrorRetryable(err)
}

// RetryDelay implements aws.Retryer. Its error ends the attempts.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	switch k := dialect.Classify(err); {
	case k == cloud.Unreachable && attempt >= cloud.MaxConnect, k == cloud.TimedOut && attempt >= cloud.MaxStandstills:
		return 0, err
	}
	return cloud.Backoff(attempt), nil
}

// eachWithin is an option for requests without content. An answer may trickle in for ever; so each attempt has a limit.
// It is longer than a connection's idle timeout, whose error is clearer.
func (s *adapter) eachWithin(o *s3.Options) {
	limit := 2 * s.timeout
	attempt := middleware.FinalizeMiddlewareFunc("strongroom:attempt", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		out, metadata, err := next.HandleFinalize(limited, in)
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			err = &attemptError{limit}
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(attempt, "Retry", middleware.After)
	})
}

// attemptError means that an attempt took too long. It does not wrap the context's error, which the SDK would take for
// the caller's.
type attemptError struct{ limit time.Duration }

func (e *attemptError) Error() string {
	return fmt.Sprintf("the service did not answer completely within %s", e.limit)
}

// Timeout and Temporary implement net.Error.
func (*attemptError) Timeout() bool   { return true }
func (*attemptError) Temporary() bool { return true }

var _ aws.Retryer = (*retryer)(nil)
