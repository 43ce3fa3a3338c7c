package gcs

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// If a body breaks, Read returns the error. Google's module does not silently request the rest.
func TestGCSBrokenRead(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	r, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "reading a (gs://bucket/p") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("the reader continues after its error")
	}
	if n := len(f.seen()); n != 1 {
		t.Errorf("%d requests: %q", n, f.seen())
	}
}

// Get requests content as it is stored, and refuses an answer with another range than the requested one: a restore reads
// the whole object then.
func TestGCSWrongRange(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "a") {
			w.Header().Set("Content-Range", "bytes 0-6/9")
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write([]byte("content"))
		return true
	})
	for key, what := range map[string]string{"a": "bytes 0 to 6", "whole": "all bytes"} {
		if r, err := b.Get(t.Context(), key, 2, 7); err == nil {
			r.Close()
			t.Errorf("Get accepted %s as bytes 2 to 8", what)
		} else if !errors.Is(err, store.ErrNoRanges) {
			t.Errorf("%s in place of bytes 2 to 8: %v", what, err)
		}
	}
	if h := f.requests[0].Header; h.Get("Range") != "bytes=2-8" || h.Get("Accept-Encoding") != "gzip" || h.Get("User-Agent") != userAgent {
		t.Errorf("headers: %v", h)
	}
}

// The source fails midway. The service must not receive a proper end of the content, which the module would
// write: some services would create the object from the first part.
func TestGCSSourceFailsMidway(t *testing.T) {
	t.Parallel()
	for range 20 { // several events race to end the request
		var mu sync.Mutex
		var body []byte
		var end error
		done := make(chan struct{})
		_, b := newFake(t, cloud.Options{}, func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			body, end = io.ReadAll(r.Body)
			close(done)
			return true
		})
		broken := errors.New("the disk is broken")
		content := make([]byte, compareSize-1) // larger objects are compared first
		_, err := b.Put(t.Context(), "a", &failingAt{bytes.NewReader(content), compareSize / 2, broken}, storetest.SumsOf(content))
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		<-done
		mu.Lock()
		if end == nil || bytes.HasSuffix(bytes.TrimSpace(body), []byte("--")) {
			t.Fatalf("%d bytes, %v; the body ends in %q", len(body), end, body[max(0, len(body)-100):])
		}
		mu.Unlock()
	}
}

// failingAt is a source whose reads fail from an offset on.
type failingAt struct {
	io.ReaderAt
	from int64
	err  error
}

func (f *failingAt) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.from {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(b, off)
}

// A service answers an upload with success before it has received all bytes. The module alone would wait for
// ever.
func TestGCSAnsweredEarly(t *testing.T) {
	t.Parallel()
	for _, size := range []int{cloud.SingleMax, cloud.SingleMax + 1} {
		f, b := newFake(t, cloud.Options{Timeout: 5 * time.Second}, func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == http.MethodGet:
				return false
			case r.URL.Query().Get("uploadType") == "resumable":
				w.Header().Set("Location", "http://"+r.Host+"/session")
			default:
				io.WriteString(w, "{}")
			}
			return true
		})
		_, err := storetest.PutBytes(t, b, "a", make([]byte, size))
		if !errors.Is(err, errAnswerEarly) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if n := len(f.seen()); n > 6 {
			t.Errorf("%d bytes: %d requests: %q", size, n, f.seen())
		}
	}
}

// The module reuses a chunk's buffer once the service has accepted the chunk. Then no earlier request, which
// net/http may still be sending, reads from that buffer.
func TestGCSChunkIsNotSentTwoWays(t *testing.T) {
	t.Parallel()
	bodies := make([]io.Reader, 0, 3)
	statuses := []int{http.StatusServiceUnavailable, http.StatusOK}
	tr := &attemptTransport{base: idle(func(r *http.Request) (*http.Response, error) {
		again, err := r.GetBody() // as net/http does after an idle connection was closed
		if err != nil {
			return nil, err
		}
		status := statuses[len(bodies)/2]
		bodies = append(bodies, r.Body, again)
		if status == http.StatusOK {
			_, err = io.CopyN(io.Discard, r.Body, r.ContentLength)
		}
		return &http.Response{StatusCode: status, Body: http.NoBody}, err
	})}
	ctx, _ := newAttempt(t.Context())
	send := func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1", strings.NewReader("chunk"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	send()
	one := make([]byte, 1)
	if _, err := bodies[0].Read(one); err != nil {
		t.Errorf("the answer would be lost: %v", err)
	}
	send()
	for i, want := range []error{errAttemptOver, errAttemptOver, io.EOF, errAttemptOver} {
		if n, err := bodies[i].Read(one); n != 0 || !errors.Is(err, want) {
			t.Errorf("body %d: %d bytes, %v, want %v", i, n, err, want)
		}
	}
}

// idle is a transport without connections.
type idle func(*http.Request) (*http.Response, error)

func (f idle) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
func (idle) CloseIdleConnections()                               {}

// The attempts of a chunk are counted. The next chunk starts with a new count.
func TestGCSChunkAttempts(t *testing.T) {
	t.Parallel()
	busy := &googleapi.Error{Code: http.StatusServiceUnavailable}
	c := &chunkRetry{budget: cloud.NewBudget(8)}
	for round := range 3 {
		for i := 1; i < cloud.MaxAttempts; i++ {
			if !c.again(busy) {
				t.Fatalf("round %d: no more than %d attempts", round, i)
			}
		}
		if c.again(nil) {
			t.Fatal("a chunk that was accepted is sent again")
		}
	}
	for range cloud.MaxAttempts - 1 {
		c.again(busy)
	}
	if c.again(busy) {
		t.Errorf("more than %d attempts", cloud.MaxAttempts)
	}
	for _, err := range []error{
		&googleapi.Error{Code: http.StatusGone}, &googleapi.Error{Code: http.StatusForbidden},
		errAnswerEarly, cloud.NewBodyError(iotest.ErrTimeout),
	} {
		if (&chunkRetry{budget: cloud.NewBudget(8)}).again(err) {
			t.Errorf("another attempt after %v", err)
		}
	}
}

// The service no longer has an upload. The store starts a new one.
func TestGCSUploadForgotten(t *testing.T) {
	t.Parallel()
	var got []byte
	var mu sync.Mutex
	uploads := 0
	var f *fakeService
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Query().Get("uploadType") == "resumable":
			uploads, got = uploads+1, nil
			w.Header().Set("Location", "http://"+r.Host+"/session")
			return true
		case r.URL.Path != "/session":
			return false
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		got = append(got, b...)
		switch {
		case uploads == 1 && len(got) > chunkSize:
			fail(w, http.StatusGone, "backendError", "gone")
		case strings.HasSuffix(r.Header.Get("Content-Range"), "/*"):
			w.Header().Set("X-Http-Status-Code-Override", "308")
		default:
			f.describe(w, got)
		}
		return true
	})
	content := bytes.Repeat([]byte("0123456789"), 2<<20)
	if _, err := storetest.PutBytes(t, b, "a", content); err != nil || uploads != 2 || !bytes.Equal(got, content) {
		t.Errorf("%v; %d uploads, %d bytes", err, uploads, len(got))
	}
}

// The module exports no metrics, whatever the environment requests.
func TestGCSExportsNothing(t *testing.T) {
	t.Setenv("GCP_STORAGE_GO_ENABLE_OTEL_METRICS", "true")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", serviceAccount(t, "http://127.0.0.1:1/token"))
	t.Setenv("GOOGLE_CLOUD_PROJECT", "p")
	_, b := newFake(t, cloud.Options{}, serve)
	if _, err := storetest.PutBytes(t, b, "a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if i := bytes.Index(stacks, []byte("otel/sdk")); i >= 0 {
		t.Errorf("%s", stacks[max(0, i-500):min(len(stacks), i+500)])
	}
}

// Each page of a listing has its own count of attempts.
func TestGCSPages(t *testing.T) {
	t.Parallel()
	fails := map[string]int{"": 2, "second": 2}
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		token := r.URL.Query().Get("pageToken")
		switch fails[token]--; {
		case fails[token] >= 0:
			fail(w, http.StatusServiceUnavailable, "backendError", "later")
		case token == "":
			io.WriteString(w, `{"kind":"storage#objects","nextPageToken":"second","items":[{"name":"p/a","size":"1"},{"name":"p/c","size":"1"}],"prefixes":["p/b/"]}`)
		default:
			io.WriteString(w, `{"kind":"storage#objects","items":[{"name":"p/d","size":"3","crc32c":"AAAAAQ=="}]}`)
		}
		return true
	})
	var keys []string
	for o, err := range b.List(t.Context(), "", "/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
		if o.Key == "d" && (o.Size != 3 || o.CRC32C == nil || *o.CRC32C != 1) || o.IsDir != (o.Key == "b/") {
			t.Errorf("%+v", o)
		}
	}
	if !slices.Equal(keys, []string{"a", "b/", "c", "d"}) || len(f.seen()) != 6 {
		t.Errorf("%q in %d requests", keys, len(f.seen()))
	}
	q := f.requests[0].URL.Query()
	if q.Get("maxResults") != "1000" || !strings.Contains(q.Get("fields"), "crc32c") || strings.Contains(q.Get("fields"), "acl") || q.Get("projection") != "noAcl" {
		t.Errorf("query: %v", q)
	}
}
