package azure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// retrier sends the requests of the Azure SDK. The SDK's own retry policy has almost no jitter, shares one
// body between attempts that may overlap, and has no limit but time.
type retrier struct {
	timeout   time.Duration
	transfers int
	bandwidth *cloud.Bandwidth
	budget    *cloud.Budget
}

func newRetrier(o *cloud.Options) *retrier {
	return &retrier{o.Timeout, o.Transfers, o.Bandwidth, o.Budget}
}

// Do implements policy.Policy.
func (p *retrier) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	for attempt := 1; ; attempt++ {
		resp, err := p.try(req)
		if cause := ctx.Err(); cause != nil && err != nil {
			return nil, cause
		}
		if attempt == cloud.MaxAttempts || !isTransient(resp, err, attempt) {
			return resp, err
		}
		if spent := p.budget.Spend(); spent != nil {
			if err == nil {
				err = runtime.NewResponseError(resp)
			}
			return nil, errors.Join(err, spent)
		}
		runtime.Drain(resp)
		select {
		case <-time.After(cloud.Backoff(attempt)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try makes one attempt, with its own body and deadline. The answer to Get is read later, so only the
// deadlines of the connection and of the caller apply to it.
func (p *retrier) try(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	ctx, cancel := raw.Context(), context.CancelFunc(func() {})
	if raw.Method != http.MethodGet || raw.URL.Query().Has("comp") {
		limit := 2*p.timeout + time.Duration(max(raw.ContentLength, 0)/p.bandwidth.Slowest(p.transfers))*time.Second
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	clone := req.Clone(ctx)
	if b, ok := req.Body().(*requestBody); ok {
		if err := clone.SetBody(b.again(), raw.Header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	return clone.Next()
}

// isTransient reports whether a retry may succeed after the given attempt, counted from 1.
func isTransient(resp *http.Response, err error, attempt int) bool {
	if err == nil {
		return cloud.IsPassingStatus(resp.StatusCode)
	}
	var src *cloud.BodyError
	var token *tokenError
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &src), errors.As(err, &token), cloud.BadCertificate(err), cloud.IsLastingAnswer(err):
		return false
	case errors.As(err, &answer):
		return cloud.IsPassingStatus(answer.StatusCode)
	}
	switch k := dialect.Classify(err); {
	case k == cloud.Unreachable && attempt >= cloud.MaxConnect, k == cloud.TimedOut && attempt >= cloud.MaxStandstills, k == cloud.Canceled:
		return false
	}
	return true // the connection broke
}

// requestBody is a section of a source, in the form that the SDK requires. It has no buffer.
type requestBody struct {
	*io.SectionReader
	src          *cloud.CheckedBody
	offset, size int64
}

func newRequestBody(src *cloud.CheckedBody, offset, size int64) *requestBody {
	return &requestBody{src.Section(offset, size), src, offset, size}
}

// again returns the same section with its own position: net/http may read from a body for a while after the
// attempt has ended.
func (b *requestBody) again() *requestBody { return newRequestBody(b.src, b.offset, b.size) }

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }
