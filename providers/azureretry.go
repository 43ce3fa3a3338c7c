package providers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// slowest is the rate in bytes per second below which an attempt to send takes too long,
// unless a Bandwidth leaves it less.
const slowest = 32 << 10

// azureRetry sends the requests of the Azure SDK. Its own retry policy has almost no
// jitter, lends one body to attempts that may overlap, and knows no limit besides time.
type azureRetry struct {
	timeout   time.Duration
	transfers int
	bandwidth *Bandwidth
	budget    *budget
}

func newAzureRetry(o *Options) *azureRetry {
	return &azureRetry{o.Timeout, o.Transfers, o.Bandwidth, o.budget}
}

// Do implements policy.Policy.
func (p *azureRetry) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	for attempt := 1; ; attempt++ {
		resp, err := p.try(req)
		if cause := ctx.Err(); cause != nil && err != nil {
			return nil, cause
		}
		if attempt == maxAttempts || !azureTransient(resp, err, attempt) {
			return resp, err
		}
		if spent := p.budget.spend(); spent != nil {
			if err == nil {
				err = runtime.NewResponseError(resp)
			}
			return nil, errors.Join(err, spent)
		}
		runtime.Drain(resp)
		select {
		case <-time.After(backoff(attempt)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try is one attempt, with a body of its own and an end in time. The body of an answer to
// Get is read later: there the connection's deadline holds, and the caller's.
func (p *azureRetry) try(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	ctx, cancel := raw.Context(), context.CancelFunc(func() {})
	if raw.Method != http.MethodGet || raw.URL.Query().Has("comp") {
		limit := 2*p.timeout + time.Duration(max(raw.ContentLength, 0)/p.bandwidth.slowest(p.transfers))*time.Second
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	clone := req.Clone(ctx)
	if b, ok := req.Body().(*azureBody); ok {
		if err := clone.SetBody(b.again(), raw.Header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	return clone.Next()
}

// azureTransient reports whether another attempt may fare better.
func azureTransient(resp *http.Response, err error, attempt int) bool {
	if err == nil {
		return azureBusy(resp.StatusCode)
	}
	var src *bodyError
	var token *azureTokenError
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &src), errors.As(err, &token), badCertificate(err):
		return false
	case errors.As(err, &answer):
		return azureBusy(answer.StatusCode)
	}
	switch k := classify(err); {
	case k == Unreachable && attempt >= maxConnect, k == TimedOut && attempt >= maxStandstills, k == Canceled:
		return false
	}
	return true // the connection broke
}

// azureBusy reports whether an answer means that the service could not, for now.
func azureBusy(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// azureBody is a stretch of a source as the SDK wants it. It holds no buffer.
type azureBody struct {
	*io.SectionReader
	src          *checkedBody
	offset, size int64
}

func newAzureBody(src *checkedBody, offset, size int64) *azureBody {
	return &azureBody{src.section(offset, size), src, offset, size}
}

// again is the same stretch with a position of its own: net/http may read from a body for
// a while after the attempt is over.
func (b *azureBody) again() *azureBody { return newAzureBody(b.src, b.offset, b.size) }

// Close implements io.Closer.
func (b *azureBody) Close() error { return nil }
