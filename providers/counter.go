package providers

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/store"
)

// Counter counts what a bucket asks of its service: each HTTP request, and each attempt at
// one; of a directory, each operation. It is safe for concurrent use, and may be shared.
// The nil Counter counts nothing.
type Counter struct {
	mu       sync.Mutex
	requests map[string]int64
	failures map[string]int64
}

// Requests returns how many there were, by kind: get, head, list, put, post, delete.
func (c *Counter) Requests() map[string]int64 {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.requests)
}

// Failures returns how many of them failed, by the Kind of the failure in words, such as
// throttled, unreachable or denied. That an object is not there, or is there already, is
// an answer and no failure, and so is what the caller gave up.
func (c *Counter) Failures() map[string]int64 {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.failures)
}

// count counts a request; failure is empty when it was answered.
func (c *Counter) count(kind, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests == nil {
		c.requests, c.failures = map[string]int64{}, map[string]int64{}
	}
	c.requests[kind]++
	if failure != "" {
		c.failures[failure]++
	}
}

// word is how a Counter calls a kind; empty: no failure.
func (k Kind) word() string {
	switch k {
	case NotFound, Precondition, Canceled:
		return ""
	case NoBucket:
		return "no_bucket"
	case Denied:
		return "denied"
	case BadCredentials:
		return "bad_credentials"
	case Throttled:
		return "throttled"
	case Unreachable:
		return "unreachable"
	case Broken:
		return "broken"
	case TimedOut:
		return "timed_out"
	case Misconfigured:
		return "misconfigured"
	}
	return "other"
}

// counting has a client count its requests.
func (c *Counter) counting(client *http.Client) *http.Client {
	if c != nil {
		client.Transport = &countingTransport{client.Transport, c}
	}
	return client
}

type countingTransport struct {
	http.RoundTripper
	counter *Counter
}

// RoundTrip implements http.RoundTripper.
func (t *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	kind := strings.ToLower(r.Method)
	if query := r.URL.RawQuery; kind == "get" && (strings.Contains(query, "prefix=") || strings.Contains(query, "comp=list")) {
		kind = "list"
	}
	failure := ""
	switch {
	case r.Context().Err() != nil && err != nil:
	case err == nil && goesBeyond(r.Context()) && denies(answer.StatusCode): // an answer, too
	case err != nil:
		failure = classifyNetwork(err).word()
	case answer.StatusCode == http.StatusServiceUnavailable:
		failure = Throttled.word() // S3's SlowDown
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable: // an answer, too
	case answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode != http.StatusPermanentRedirect:
		failure = classifyStatus(answer.StatusCode).word()
	}
	t.counter.count(kind, failure)
	return answer, err
}

func denies(status int) bool {
	return status == http.StatusForbidden || status == http.StatusUnauthorized
}

// countedFile is a directory that counts what is asked of it.
type countedFile struct {
	fileBucket
	counter *Counter
}

// fileBucket is what a directory does, with or without a Bandwidth.
type fileBucket interface {
	Bucket
	store.Sweeper
	store.SurroundingsLister
	store.Syncer
	store.Holder
}

func (c *countedFile) count(ctx context.Context, kind string, err error) {
	failure := ""
	var own *Error
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrExists):
	case errors.As(err, &own):
		failure = own.Kind.word()
	default:
		failure = Other.word()
	}
	c.counter.count(kind, failure)
}

// Put implements store.Store.
func (c *countedFile) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	stored, err := c.fileBucket.Put(ctx, key, body, sums)
	c.count(ctx, "put", err)
	return stored, err
}

// Get implements store.Store.
func (c *countedFile) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := c.fileBucket.Get(ctx, key, offset, length)
	c.count(ctx, "get", err)
	return r, err
}

// Stat implements store.Store.
func (c *countedFile) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := c.fileBucket.Stat(ctx, key)
	c.count(ctx, "head", err)
	return o, err
}

// List implements store.Store.
func (c *countedFile) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		var failed error
		for o, err := range c.fileBucket.List(ctx, prefix, delimiter, after) {
			failed = err
			if !yield(o, err) {
				break
			}
		}
		c.count(ctx, "list", failed)
	}
}

// Delete implements store.Store.
func (c *countedFile) Delete(ctx context.Context, keys []string) error {
	err := c.fileBucket.Delete(ctx, keys)
	c.count(ctx, "delete", err)
	return err
}
