package cloud

import (
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Counter counts a bucket's requests to its service: each attempt of each HTTP request, or, for a
// directory, each operation. It is safe for concurrent use, and buckets may share it. The nil Counter
// counts nothing.
type Counter struct {
	mu       sync.Mutex
	requests map[string]int64
	failures map[string]int64
}

// Requests returns the number of requests by kind: get, head, list, put, post, delete.
func (c *Counter) Requests() map[string]int64 {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.requests)
}

// Failures returns the number of failed requests by Kind.Word of the failure, such as throttled,
// unreachable or denied. A request for a missing object, a refused Put of an existing object, and a
// request that the caller canceled are no failures.
func (c *Counter) Failures() map[string]int64 {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.failures)
}

// Count counts one request. failure is the Kind.Word of its failure, and empty if it did not fail.
func (c *Counter) Count(kind, failure string) {
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

// Word returns the name of a kind in a Counter's failures. It is empty for the kinds that are no failures.
func (k Kind) Word() string {
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
	case Protected:
		return "protected"
	case Frozen:
		return "frozen"
	case Blocked:
		return "blocked"
	case Busy:
		return "busy"
	}
	return "other"
}

// Counting makes a client count its requests in c, and returns the client.
func (c *Counter) Counting(client *http.Client) *http.Client {
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
	case err == nil && GoesBeyond(r.Context()) && denies(answer.StatusCode): // no failure
	case err != nil:
		failure = classifyNetwork(err).Word()
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable: // no failure
	case answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode != http.StatusPermanentRedirect:
		failure = ClassifyStatus(answer.StatusCode).Word()
	}
	t.counter.Count(kind, failure)
	return answer, err
}

func denies(status int) bool {
	return status == http.StatusForbidden || status == http.StatusUnauthorized
}
