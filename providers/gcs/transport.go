package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// attemptTransport stands between Google's module and the connections. The module goes on by
// itself in some cases in which it must not, and gives no way to forbid it:
//
//   - A body that breaks is asked for again, as often as it breaks and all within one call
//     of Read. Here the second request gets the error of the first one; who reads resumes,
//     with attempts that are counted (see archive).
//   - A request whose source has failed is given the end that makes its content whole: the
//     last line of a multipart body. Here nothing is sent once a uploadAttempt has failed.
//   - An upload that is answered with success too early waits for ever for somebody to
//     take the rest. Here such an answer is an error.
//   - A chunk's buffer is filled anew when the chunk was taken, though an earlier request
//     with it, which got its answer before its end, may still be sending: see bufferLease.
//
// All bounds are those of one attempt: another one is made by try and put, or by nobody.
type attemptTransport struct {
	base interface {
		http.RoundTripper
		CloseIdleConnections()
	}
}

var errAnswerEarly = errors.New("the service ended the upload before it had been sent all of it")

// RoundTrip implements http.RoundTripper.
func (t *attemptTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	attempt := attemptOf(r.Context())
	if err := attempt.failed(); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", userAgent)
	if r.URL.Query().Get("alt") == "media" {
		// As it is stored. The module's ReadCompressed does this for its XML reads only.
		r.Header.Set("Accept-Encoding", "gzip")
	}
	loan := attempt.lease()
	stream := guard(r, attempt, loan)
	response, err := t.base.RoundTrip(r)
	if err != nil {
		loan.takeBack()
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		loan.takeBack()
		if stream != nil && !stream.whole.Load() || moreToCome(r, response) {
			response.Body.Close()
			return nil, errAnswerEarly
		}
	}
	if r.Method == http.MethodGet {
		response.Body = &responseBody{response.Body, attempt}
	}
	return response, nil
}

// guard puts what watches over it around a request's content. It gives that of a source,
// as opposed to a buffer, whose length is known, or nil.
func guard(r *http.Request, attempt *uploadAttempt, loan *bufferLease) *requestStream {
	switch again := r.GetBody; {
	case r.Body == nil || r.Body == http.NoBody:
	case again == nil || r.ContentLength <= 0:
		stream := &requestStream{ReadCloser: r.Body, attempt: attempt, ctx: r.Context()}
		r.Body = stream
		return stream
	default:
		r.Body = &leasedBody{r.Body, loan, r.ContentLength}
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &leasedBody{body, loan, r.ContentLength}, err
		}
	}
	return nil
}

// moreToCome reports whether a chunk that is not the last one has ended the upload.
func moreToCome(r *http.Request, response *http.Response) bool {
	return strings.HasSuffix(r.Header.Get("Content-Range"), "/*") &&
		response.Header.Get("X-Http-Status-Code-Override") != "308"
}

// CloseIdleConnections is called by http.Client.
func (t *attemptTransport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// uploadAttempt is one attempt to read or to upload. It stands in the context of all
// requests that are made for it.
type uploadAttempt struct {
	mu   sync.Mutex
	err  error
	loan *bufferLease // of the last request
}

type attemptKey struct{}

// newAttempt begins an attempt, in a context of its own.
func newAttempt(ctx context.Context) (context.Context, *uploadAttempt) {
	a := &uploadAttempt{}
	return context.WithValue(ctx, attemptKey{}, a), a
}

// attemptOf gives the attempt that a request belongs to. Requests without content are
// not counted: each has one of its own.
func attemptOf(ctx context.Context) *uploadAttempt {
	if a, ok := ctx.Value(attemptKey{}).(*uploadAttempt); ok {
		return a
	}
	return &uploadAttempt{}
}

// fail ends the attempt: when it returns, no more of it is sent. The first error stays.
func (a *uploadAttempt) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}

func (a *uploadAttempt) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// lease begins the loan of a request, and ends that of the one before.
func (a *uploadAttempt) lease() *bufferLease {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loan != nil {
		a.loan.takeBack()
	}
	a.loan = &bufferLease{}
	return a.loan
}

// requestStream is an object's content on its way to the service, as its source is read.
type requestStream struct {
	io.ReadCloser
	attempt *uploadAttempt
	ctx     context.Context
	whole   atomic.Bool
}

// Read gives nothing that was read after the attempt had failed: it may be an end that
// does not belong there.
func (b *requestStream) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if failed := errors.Join(b.attempt.failed(), b.ctx.Err()); failed != nil {
		return 0, failed
	}
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
	}
	return n, err
}

// bufferLease is the time for which a request may read the module's buffer. It ends with an
// error or success; after another answer, which net/http gives up when sending fails, with
// the next request.
type bufferLease struct {
	mu     sync.Mutex
	isOver bool
}

var errAttemptOver = errors.New("the request is over")

func (l *bufferLease) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOver = true
}

// leasedBody is a chunk on its way to the service.
type leasedBody struct {
	io.ReadCloser
	loan *bufferLease
	left int64
}

// Read knows the end from the length: net/http asks for it when all is sent, at which time
// the answer may have come.
func (b *leasedBody) Read(p []byte) (int, error) {
	b.loan.mu.Lock()
	defer b.loan.mu.Unlock()
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.loan.isOver {
		return 0, errAttemptOver
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// responseBody is an object's content on its way from the service. When it breaks, the attempt has failed.
type responseBody struct {
	io.ReadCloser
	attempt *uploadAttempt
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.attempt.fail(err)
	}
	return n, err
}
