package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/sync/singleflight"
)

// sharedAnswers is a handler of metrics that makes one answer for all requests that wait for it. The metrics of a
// thousand archives take some time and megabytes, and several scrapers may come at once. The query has no effect: each
// answer has all metrics.
type sharedAnswers struct {
	handler http.Handler
	running singleflight.Group // by the accepted formats, and the encoding
}

func (s *sharedAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	formats, encoding := strings.Join(r.Header.Values("Accept"), ","), "identity"
	if acceptsGzip(r.Header) {
		encoding = "gzip"
	}
	made, _, _ := s.running.Do(encoding+" "+formats, func() (any, error) {
		// The request may end before those that share its answer.
		one := r.Clone(context.WithoutCancel(r.Context()))
		one.Header.Set("Accept-Encoding", encoding)
		one.URL.RawQuery = "" // the handler would filter by it, also for those that share the answer
		a := &answer{header: http.Header{}, code: http.StatusOK}
		s.handler.ServeHTTP(a, one)
		return a, nil
	})
	a, _ := made.(*answer)
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body.Bytes()) // an error means that the client has gone
}

// acceptsGzip reports whether a client accepts a compressed answer.
func acceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(part), " ", ""), ";")
		if name == "gzip" && strings.TrimRight(weight, "0.") != "q=" {
			return true
		}
	}
	return false
}

// answer is an http.ResponseWriter in memory.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
