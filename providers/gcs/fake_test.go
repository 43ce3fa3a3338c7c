package gcs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/providers/s3"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// fakeService is a service that stores one object. It answers the requests that the test's own handler, first,
// does not answer.
type fakeService struct {
	mu       sync.Mutex
	requests []*http.Request
	content  []byte
	exists   bool
	promise  string // the CRC-32C in the request
}

func newFake(t *testing.T, o cloud.Options, first func(w http.ResponseWriter, r *http.Request) bool) (*fakeService, cloud.Bucket) {
	t.Helper()
	f := &fakeService{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r)
		f.mu.Unlock()
		if r.URL.Query().Get("alt") == "media" {
			w.Header().Set("X-Goog-Generation", "7")
		}
		if !first(w, r) {
			f.answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return f, open(t, "gs://bucket/p?endpoint="+server.URL, o)
}

func serve(http.ResponseWriter, *http.Request) bool { return false }

func (f *fakeService) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.requests {
		all = append(all, r.Method+" "+r.URL.Path)
	}
	return all
}

func fail(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"reason":%q,"message":%q}]}}`, status, message, reason, message)
}

// answer stores the content of an upload in one request, and answers all other requests.
func (f *fakeService) answer(w http.ResponseWriter, r *http.Request) {
	var b []byte
	if r.Method == http.MethodPost {
		var ok bool
		if b, ok = f.receive(r); !ok {
			return // the request was interrupted
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/o") && r.Method == http.MethodGet:
		io.WriteString(w, `{"kind":"storage#objects"}`) // a listing
		return
	case r.Method == http.MethodPost && f.exists:
		fail(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		return
	case r.Method == http.MethodPost:
		f.content, f.exists = b, true
	case !f.exists:
		fail(w, http.StatusNotFound, "notFound", "No such object: bucket/p/a")
		return
	case r.Method == http.MethodDelete:
		f.content, f.exists = nil, false
		w.WriteHeader(http.StatusNoContent)
		return
	case r.URL.Query().Get("alt") == "media":
		w.Write(f.content)
		return
	}
	f.describe(w, f.content)
}

func (f *fakeService) describe(w http.ResponseWriter, content []byte) {
	json.NewEncoder(w).Encode(map[string]string{
		"name": "p/a", "size": fmt.Sprint(len(content)), "generation": "7", "timeCreated": time.Now().UTC().Format(time.RFC3339Nano),
		"crc32c": *s3.CrcToHeader(storetest.SumsOf(content).CRC32C), "md5Hash": base64.StdEncoding.EncodeToString(make([]byte, 16)),
	})
}

func (f *fakeService) receive(r *http.Request) ([]byte, bool) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, false
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	head, err := parts.NextPart()
	if err != nil {
		return nil, false
	}
	var object struct{ Crc32c string }
	if err := json.NewDecoder(head).Decode(&object); err != nil {
		return nil, false
	}
	f.mu.Lock()
	f.promise = object.Crc32c
	f.mu.Unlock()
	media, err := parts.NextPart()
	if err != nil {
		return nil, false
	}
	b, err := io.ReadAll(media)
	if err != nil {
		return nil, false
	}
	_, err = parts.NextPart()
	return b, errors.Is(err, io.EOF)
}
