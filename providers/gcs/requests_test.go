package gcs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/providers/s3"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A Put is one request, create-only, with the CRC-32C and without credentials. The endpoint in the URL takes
// precedence over that in the environment.
func TestGCSRequestOfAPut(t *testing.T) {
	t.Setenv(envEmulator, "127.0.0.1:1")
	f, b := newFake(t, cloud.Options{}, serve)
	content := []byte("content")
	if stored, err := storetest.PutBytes(t, b, "a", content); err != nil || stored.Existed {
		t.Fatalf("%+v, %v", stored, err)
	}
	if got := f.seen(); !slices.Equal(got, []string{"POST /upload/storage/v1/b/bucket/o"}) {
		t.Fatalf("requests: %q", got)
	}
	q := f.requests[0].URL.Query()
	if q.Get("ifGenerationMatch") != "0" || q.Get("uploadType") != "multipart" || f.promise != *s3.CrcToHeader(storetest.SumsOf(content).CRC32C) {
		t.Errorf("query %v, CRC-32C %q", q, f.promise)
	}
	if a := f.requests[0].Header.Get("Authorization"); a != "" {
		t.Errorf("a service other than Google's received credentials")
	}
}

// The answer to an upload is lost after the service applied it. The existing object decides.
func TestGCSAnswerLost(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	var f *fakeService
	f, b := newFake(t, cloud.Options{}, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && lost.CompareAndSwap(false, true) {
			f.answer(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	for range 2 {
		if stored, err := storetest.PutBytes(t, b, "a", []byte("content")); err != nil || !stored.Existed {
			t.Fatalf("%+v, %v", stored, err)
		}
	}
	if _, err := storetest.PutBytes(t, b, "a", []byte("CONTENT")); !errors.Is(err, store.ErrExists) {
		t.Errorf("other content: %v", err)
	}
}

// A service creates an object with other content than it was sent. The store deletes exactly that generation.
func TestGCSMadeSomethingElse(t *testing.T) {
	t.Parallel()
	var f *fakeService
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		f.answer(httptest.NewRecorder(), r)
		f.describe(w, []byte("cont3nt"))
		return true
	})
	_, err := storetest.PutBytes(t, b, "a", []byte("content"))
	if err == nil || !strings.Contains(err.Error(), "deleted again; this is a fault of the service") {
		t.Errorf("%v", err)
	}
	i := slices.Index(f.seen(), "DELETE /storage/v1/b/bucket/o/p/a")
	if i < 0 || f.requests[i].URL.Query().Get("generation") != "7" || f.exists {
		t.Errorf("requests %q; exists: %v", f.seen(), f.exists)
	}
}

func TestGCSErrorsOfTheService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status          int
		reason, message string
		kind            cloud.Kind
		says            string
	}{
		{404, "notFound", "The specified bucket does not exist.", cloud.NoBucket, "create it"},
		{403, "forbidden", "x does not have storage.objects.create access", cloud.Denied, "permission storage.objects.create"},
		{401, "authError", "Invalid Credentials", cloud.BadCredentials, "GOOGLE_APPLICATION_CREDENTIALS"},
		{400, "invalid", "Invalid bucket name: 'x'", cloud.Misconfigured, "bucket's name"},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) bool {
				fail(w, c.status, c.reason, c.message)
				return true
			})
			_, err := storetest.PutBytes(t, b, "a", []byte("a"))
			var e *cloud.Error
			if !errors.As(err, &e) || e.Kind != c.kind {
				t.Fatalf("%v (%+v)", err, e)
			}
			for _, want := range []string{c.says, "putting a (gs://bucket/p"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			if errors.Is(err, cloud.ErrNoBucket) != (c.kind == cloud.NoBucket) || errors.Is(err, fs.ErrNotExist) != (c.kind == cloud.NoBucket) {
				t.Errorf("%v: ErrNoBucket %v", err, errors.Is(err, cloud.ErrNoBucket))
			}
			if n := len(f.seen()); n > 2 {
				t.Errorf("%d requests: %q", n, f.seen())
			}
		})
	}
}

// A Put succeeds after throttling, a server error and a broken connection.
func TestGCSRetries(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		i := n.Add(1)
		if i < 4 {
			io.Copy(io.Discard, r.Body)
		}
		switch i {
		case 1:
			fail(w, http.StatusForbidden, "userRateLimitExceeded", "slow down")
		case 2:
			fail(w, http.StatusServiceUnavailable, "backendError", "later")
		case 3:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	})
	if _, err := storetest.PutBytes(t, b, "a", []byte("content")); err != nil {
		t.Fatal(err)
	}
}

// If the source has changed, no object is created, and the Put is not retried.
func TestGCSSourceChanges(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, cloud.Options{}, serve)
	_, err := b.Put(t.Context(), "a", strings.NewReader("CONTENT"), storetest.SumsOf([]byte("content")))
	if !errors.Is(err, store.ErrMismatch) || f.exists || len(f.seen()) > 1 {
		t.Errorf("%v; exists: %v, requests %q", err, f.exists, f.seen())
	}
}

// A server accepts the connection and never answers, or stops midway.
func TestGCSServerHangs(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	f, b := newFake(t, cloud.Options{Timeout: 150 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/half") {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
			w.(http.Flusher).Flush()
		}
		<-end
		return true
	})
	t.Cleanup(func() { close(end) })
	start := time.Now()
	timedOut := func(what string, err error) {
		t.Helper()
		var e *cloud.Error
		if !errors.As(err, &e) || e.Kind != cloud.TimedOut {
			t.Errorf("%s: %v, want TimedOut", what, err)
		}
	}
	_, err := b.Get(t.Context(), "a", 0, -1)
	timedOut("Get", err)
	if n := len(f.seen()); n != cloud.MaxStandstills {
		t.Errorf("%d attempts, want %d", n, cloud.MaxStandstills)
	}
	r, err := b.Get(t.Context(), "half", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	r.Close()
	timedOut("reading", err)
	for _, err = range b.List(t.Context(), "", "", "") {
	}
	timedOut("List", err)
	_, err = b.Stat(t.Context(), "a")
	timedOut("Stat", err)
	timedOut("Delete", b.Delete(t.Context(), store.AnyVersion("a")))
	_, err = storetest.PutBytes(t, b, "a", []byte("a"))
	timedOut("Put", err)
	_, err = storetest.PutBytes(t, b, "a", make([]byte, cloud.SingleMax+1))
	timedOut("Put of chunks", err)
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

// If no server listens, there is a clear error after a few attempts.
func TestGCSUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Setenv(envEmulator, l.Addr().String()) // without a scheme, as Google's SDKs expect it
	_, err = storetest.PutBytes(t, open(t, "gs://bucket", cloud.Options{}), "a", nil)
	var e *cloud.Error
	if !errors.As(err, &e) || e.Kind != cloud.Unreachable || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), envEmulator) {
		t.Errorf("%v", err)
	}
}

// If credentials are missing or cannot be read, the first operation reports it once, with what to do and
// without the content of the file.
func TestGCSNoCredentials(t *testing.T) {
	t.Setenv(envEmulator, "")
	broken := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(broken, []byte(`{"type":"service_account","private_key":"topsecret"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "missing"), broken} {
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
		_, err := storetest.PutBytes(t, open(t, "gs://bucket", cloud.Options{}), "a", nil)
		var e *cloud.Error
		if !errors.As(err, &e) || e.Kind != cloud.BadCredentials || !strings.Contains(err.Error(), "gcloud auth") || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%v (%+v)", err, e)
		}
	}
}

func TestGCSEndpoints(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"gs://bucket?endpoint=ftp://h":           "parameter endpoint: it is no address",
		"gs://bucket?endpoint=http://h/path":     "has a path",
		"gs://bucket?endpoint=http://k:secret@h": "credentials",
		"gs://bucket?region=x":                   "unknown parameter",
		"gs://Bucket":                            "no bucket's name",
		"gs:///p":                                "names no bucket",
	} {
		if _, err := Open(t.Context(), url, cloud.Options{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// A large object is sent in chunks, and each chunk is retried. A source that is too short leaves no object.
func TestGCSChunks(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	var n int
	var f *fakeService
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Query().Get("uploadType") == "resumable":
			w.Header().Set("Location", "http://"+r.Host+"/session")
		case r.URL.Path == "/session":
			if n++; n == 2 {
				fail(w, http.StatusServiceUnavailable, "backendError", "later")
				return true
			}
			io.Copy(&got, r.Body)
			if strings.HasSuffix(r.Header.Get("Content-Range"), "/*") {
				w.Header().Set("X-Http-Status-Code-Override", "308")
				return true
			}
			f.describe(w, got.Bytes())
		default:
			return false
		}
		return true
	})
	content := bytes.Repeat([]byte("0123456789"), 2<<20)
	if stored, err := storetest.PutBytes(t, b, "a", content); err != nil || stored.Existed || !bytes.Equal(got.Bytes(), content) || n != 4 {
		t.Fatalf("%+v, %v; %d bytes in %d requests", stored, err, got.Len(), n)
	}
	start := f.requests[slices.Index(f.seen(), "POST /upload/storage/v1/b/bucket/o")].URL.Query()
	if start.Get("ifGenerationMatch") != "0" {
		t.Errorf("query %v", start)
	}
	got.Reset()
	_, err := b.Put(t.Context(), "a", bytes.NewReader(content[:len(content)-1]), storetest.SumsOf(content))
	if !errors.Is(err, store.ErrMismatch) || got.Len() > 2*chunkSize {
		t.Errorf("a short source: %v; %d bytes were sent", err, got.Len())
	}
}
