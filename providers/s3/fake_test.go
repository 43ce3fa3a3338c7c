package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// fakeService is a service whose answers a test determines.
type fakeService struct {
	mu       sync.Mutex
	requests []string // method and key or query, in order
	headers  []http.Header
}

func (f *fakeService) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...)
}

// newFake serves answer and opens a store on it.
func newFake(t *testing.T, o cloud.Options, answer http.HandlerFunc) (*fakeService, cloud.Bucket) {
	t.Helper()
	return newFakeAt(t, "&versions=false", o, answer)
}

// newFakeAt is newFake with more parameters in the URL.
func newFakeAt(t *testing.T, params string, o cloud.Options, answer http.HandlerFunc) (*fakeService, cloud.Bucket) {
	t.Helper()
	f := &fakeService{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/bucket/"))
		f.headers = append(f.headers, r.Header.Clone())
		f.mu.Unlock()
		if sent := r.Header.Get("X-Amz-Checksum-Crc32c"); sent != "" && r.Method == http.MethodPut {
			w.Header().Set("X-Amz-Checksum-Crc32c", sent) // the confirmation that the service compared it
		}
		switch r.Method { // what each answer has, unless the test removes it
		case http.MethodHead:
			w.Header().Set("Content-Length", "0")
		case http.MethodPut:
			w.Header().Set("ETag", `"e"`)
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return f, openFakeAt(t, server.URL, params, o)
}

func openFake(t *testing.T, endpoint string, o cloud.Options) cloud.Bucket {
	t.Helper()
	return openFakeAt(t, endpoint, "&versions=false", o)
}

func openFakeAt(t *testing.T, endpoint, params string, o cloud.Options) cloud.Bucket {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "fake")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return open(t, "s3://bucket?region=us-east-1&use_path_style=true&endpoint="+url.QueryEscape(endpoint)+params, o)
}

// fail answers with an error in the format of S3.
func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>it is so</Message></Error>`, code)
}

// deleteAll answers DeleteObjects as if the service had deleted each object of the request.
func deleteAll(w io.Writer, request io.Reader) {
	var in struct {
		Object []struct {
			Key       string
			VersionID string `xml:"VersionId"`
		}
	}
	if err := xml.NewDecoder(request).Decode(&in); err != nil {
		fmt.Fprintf(w, "<Error><Code>MalformedXML</Code><Message>%v</Message></Error>", err)
		return
	}
	io.WriteString(w, "<DeleteResult>")
	for _, o := range in.Object {
		io.WriteString(w, "<Deleted><Key>")
		xml.EscapeText(w, []byte(o.Key))
		fmt.Fprintf(w, "</Key><VersionId>%s</VersionId></Deleted>", o.VersionID)
	}
	io.WriteString(w, "</DeleteResult>")
}

// object is the only object of a fake service.
type object struct {
	mu      sync.Mutex
	content []byte
	exists  bool

	careless bool // it ignores checksums
}

// serve answers like S3. If lose is set, it breaks the connection after it has applied a PUT.
func (o *object) serve(w http.ResponseWriter, r *http.Request, lose bool) {
	b, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		if o.exists && r.Header.Get("If-None-Match") == "*" {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		o.content, o.exists = b, true
		if lose {
			panic(http.ErrAbortHandler)
		}
		if o.careless {
			w.Header().Del("X-Amz-Checksum-Crc32c")
		}
	case http.MethodHead, http.MethodGet:
		if !o.exists {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("X-Amz-Checksum-Crc32c", *CrcToHeader(storetest.SumsOf(o.content).CRC32C))
		w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		w.Header().Set("Content-Length", fmt.Sprint(len(o.content)))
		if r.Method == http.MethodGet {
			w.Write(o.content)
		}
	}
}
