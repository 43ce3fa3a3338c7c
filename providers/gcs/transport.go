package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// attemptTransport is the layer between Google's module and the connections. In some cases the module
// continues by itself where it must not, and has no option to prevent that:
//
//   - If a body breaks, the module requests the rest, without a limit and within one call of Read. Here
//     the second request returns the error of the first one. The caller resumes, and counts the attempts
//     (see archive).
//   - If the source fails, the module still sends the last line of a multipart body, which completes the
//     content. Here nothing is sent once an uploadAttempt has failed.
//   - If a service answers an upload with success too early, the module waits for ever to send the rest.
//     Here such an answer is an error.
//   - The module reuses a chunk's buffer once the chunk is accepted. An earlier request that was answered
//     before it was sent completely may still read from that buffer: see bufferLease.
//
// All limits apply to one attempt. Only try and put make further attempts.
type attemptTransport struct {
	base interface {
		http.RoundTripper
		CloseIdleConnections()
	}
}

var errAnswerEarly = errors.New("the service answered the upload before it had received all bytes")

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
		// Objects arrive as they are stored. The module's ReadCompressed only affects XML reads.
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
	if response.StatusCode/100 == 2 && r.URL.Query().Get("alt") == "media" {
		if err := unpack(response); err != nil {
			return nil, err
		}
	}
	if r.Method == http.MethodGet {
		response.Body = &responseBody{response.Body, attempt}
	}
	return response, nil
}

// unpack replaces the body of an object's content that a proxy on the way has compressed. The service states how it stores
// an object.
func unpack(response *http.Response) error {
	encoding, stored := response.Header.Get("Content-Encoding"), response.Header.Get("X-Goog-Stored-Content-Encoding")
	if encoding == "" || stored == "" || stored == encoding {
		return nil
	}
	body, err := cloud.Unpacked(response.Body, cloud.Packing{
		Encoding: encoding, IsPart: response.StatusCode == http.StatusPartialContent, Size: -1,
	})
	if err != nil {
		return err
	}
	response.Body, response.ContentLength = body, -1
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length")
	return nil
}

// guard wraps a request's body so that it stops when the attempt fails or the lease ends. It returns the
// stream if the body comes from the source, and nil if it is a buffer of known length or empty.
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

// moreToCome reports whether the service ended the upload although the chunk is not the last one.
func moreToCome(r *http.Request, response *http.Response) bool {
	return strings.HasSuffix(r.Header.Get("Content-Range"), "/*") &&
		response.Header.Get("X-Http-Status-Code-Override") != "308"
}

// CloseIdleConnections closes idle connections. http.Client calls it.
func (t *attemptTransport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// uploadAttempt is one attempt to read or to upload. The contexts of all its requests have it as a value.
type uploadAttempt struct {
	mu   sync.Mutex
	err  error
	loan *bufferLease // of the last request
}

type attemptKey struct{}

// newAttempt returns a new attempt, and a context that has it.
func newAttempt(ctx context.Context) (context.Context, *uploadAttempt) {
	a := &uploadAttempt{}
	return context.WithValue(ctx, attemptKey{}, a), a
}

// attemptOf returns the attempt of a request. A request without content has a new attempt of its own.
func attemptOf(ctx context.Context) *uploadAttempt {
	if a, ok := ctx.Value(attemptKey{}).(*uploadAttempt); ok {
		return a
	}
	return &uploadAttempt{}
}

// fail ends the attempt with an error, unless it has one already. After it has returned, no more bytes of the
// attempt are sent.
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

// lease returns a new lease for a request, and ends the lease of the previous request.
func (a *uploadAttempt) lease() *bufferLease {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loan != nil {
		a.loan.takeBack()
	}
	a.loan = &bufferLease{}
	return a.loan
}

// requestStream is a request body that is read from the source while it is sent.
type requestStream struct {
	io.ReadCloser
	attempt *uploadAttempt
	ctx     context.Context
	whole   atomic.Bool
}

// Read returns no bytes once the attempt has failed: they may be an end that would complete the content.
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

// bufferLease is a request's permission to read the module's buffer. It ends when the request fails or
// succeeds. After another answer it ends with the next request: net/http drops the answer if sending fails.
type bufferLease struct {
	mu     sync.Mutex
	isOver bool
}

var errAttemptOver = errors.New("the request has ended")

func (l *bufferLease) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOver = true
}

// leasedBody is a request body that is read from the buffer of a chunk.
type leasedBody struct {
	io.ReadCloser
	loan *bufferLease
	left int64
}

// Read returns io.EOF after the known length, also when the lease has ended: net/http reads the end after it
// has sent all bytes, and the answer may have arrived by then.
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

// responseBody is the body of an answer with an object's content. If it breaks, the attempt fails.
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
