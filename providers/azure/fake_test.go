package azure

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func md5Hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func md5Header(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// fakeService is a service that stores one object, or answers as a test determines.
type fakeService struct {
	address  string
	mu       sync.Mutex
	requests []string // method, name and comp=, in order
	headers  []http.Header
	blocks   map[string][]byte
	list     string // the last block list
	content  []byte
	exists   bool
	md5      string
}

func newFake(t *testing.T, o cloud.Options, answer func(f *fakeService, w http.ResponseWriter, r *http.Request)) (*fakeService, cloud.Bucket) {
	t.Helper()
	f := &fakeService{blocks: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.Path, "/acct/bucket/")+" "+r.URL.Query().Get("comp")))
		f.headers = append(f.headers, r.Header.Clone())
		f.mu.Unlock()
		w.Header().Set("X-Ms-Request-Id", "r-1") // as Azure answers each request
		answer(f, w, r)
	}))
	t.Cleanup(server.Close)
	f.address = server.Listener.Addr().String()
	return f, openFake(t, f.address, o)
}

func openFake(t *testing.T, address string, o cloud.Options) cloud.Bucket {
	t.Helper()
	t.Setenv("AZURE_STORAGE_ACCOUNT", "acct")
	t.Setenv("AZURE_STORAGE_KEY", "dG9wc2VjcmV0")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "")
	return open(t, "azblob://bucket?protocol=http&localemu=true&domain="+url.QueryEscape(address), o)
}

func (f *fakeService) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// fail answers with an error in the format of Azure.
func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.Header().Set("X-Ms-Request-Id", "r-1")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>it is so\nRequestId:r-1</Message><AuthenticationErrorDetail>topsecret</AuthenticationErrorDetail></Error>", code)
}

// serve answers like Azure. If lose is set, it breaks the connection after it has created the object.
func (f *fakeService) serve(w http.ResponseWriter, r *http.Request, lose bool) {
	b, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	comp := r.URL.Query().Get("comp")
	if h := r.Header.Get("Content-Md5"); h != "" && h != md5Header(b) {
		fail(w, http.StatusBadRequest, "Md5Mismatch")
		return
	}
	switch {
	case r.Method == http.MethodPut && comp == "block":
		f.blocks[r.URL.Query().Get("blockid")] = b
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		if f.exists && r.Header.Get("If-None-Match") == "*" {
			fail(w, http.StatusConflict, "BlobAlreadyExists")
			return
		}
		if comp == "blocklist" {
			f.list, b = string(b), nil
			for _, part := range strings.Split(f.list, "<Latest>")[1:] {
				id, _, _ := strings.Cut(part, "<")
				b = append(b, f.blocks[id]...)
			}
		}
		f.content, f.exists, f.md5 = b, true, r.Header.Get("X-Ms-Blob-Content-Md5")
		if lose {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
	case !f.exists:
		fail(w, http.StatusNotFound, "BlobNotFound")
	default:
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Md5", f.md5)
		w.Header().Set("Content-Length", fmt.Sprint(len(f.content)))
		if r.Method == http.MethodGet {
			w.Write(f.content)
		}
	}
}

// A Put is one create-only request, with an MD5 to compare and an MD5 to store, and no other checksum.
func TestAzureRequestOfAPut(t *testing.T) {
	f, b := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) { f.serve(w, r, false) })
	content := make([]byte, 2<<20)
	if stored, err := storetest.PutBytes(t, b, "data/a%2Fb", content); err != nil || stored != (store.PutResult{MD5: md5Hex(content)}) {
		t.Fatalf("%+v, %v", stored, err)
	}
	if got := f.seen(); !slices.Equal(got, []string{"PUT data/a%2Fb"}) {
		t.Fatalf("requests: %q", got)
	}
	for name, want := range map[string]string{
		"Content-Md5": md5Header(content), "X-Ms-Blob-Content-Md5": md5Header(content), "X-Ms-Blob-Type": "BlockBlob",
		"If-None-Match": "*", "Expect": "100-continue", "X-Ms-Content-Crc64": "",
	} {
		if got := f.headers[0].Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Each block has its MD5. The commit is create-only, and stores the MD5 of the whole object.
func TestAzureRequestsOfBlocks(t *testing.T) {
	f, b := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) { f.serve(w, r, false) })
	content := make([]byte, cloud.SingleMax+minBlock/2)
	for i := range content {
		content[i] = byte(i >> 12)
	}
	if stored, err := storetest.PutBytes(t, b, "a", content); err != nil || stored != (store.PutResult{MD5: md5Hex(content)}) {
		t.Fatalf("%+v, %v", stored, err)
	}
	if got := f.seen(); !slices.Equal(got, []string{"HEAD a", "PUT a block", "PUT a block", "PUT a block", "PUT a blocklist"}) {
		t.Fatalf("requests: %q", got)
	}
	if md5Hex(f.content) != md5Hex(content) {
		t.Error("the object has other content")
	}
	for _, h := range f.headers[1:4] {
		if h.Get("Content-Md5") == "" {
			t.Errorf("a block without an MD5: %v", h)
		}
	}
	if h := f.headers[4]; h.Get("If-None-Match") != "*" || h.Get("X-Ms-Blob-Content-Md5") != md5Header(content) {
		t.Errorf("the commit's headers: %v", h)
	}
}

// The answer to the request that creates the object is lost. The existing object is equal, so the Put
// succeeds.
func TestAzureAnswerLost(t *testing.T) {
	for _, size := range []int{10, cloud.SingleMax + 1} {
		var lost atomic.Bool
		_, b := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) {
			makes := r.Method == http.MethodPut && r.URL.Query().Get("comp") != "block"
			f.serve(w, r, makes && lost.CompareAndSwap(false, true))
		})
		content := make([]byte, size)
		for range 2 {
			if stored, err := storetest.PutBytes(t, b, "a", content); err != nil || !stored.Existed || stored.MD5 != md5Hex(content) {
				t.Fatalf("%d bytes: %+v, %v", size, stored, err)
			}
		}
		content[size-1]++
		if _, err := storetest.PutBytes(t, b, "a", content); !errors.Is(err, store.ErrExists) {
			t.Errorf("%d bytes of other content: %v", size, err)
		}
	}
}

// Requests with errors that will not pass are not retried, and the error states what to do.
func TestAzureErrorsOfTheService(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   cloud.Kind
		says   string
	}{
		{404, "ContainerNotFound", cloud.NoBucket, "create the container"},
		{403, "AuthorizationPermissionMismatch", cloud.Denied, "Storage Blob Data Contributor"},
		{403, "AuthorizationFailure", cloud.Denied, "network rules"},
		{403, "KeyBasedAuthenticationNotPermitted", cloud.Denied, "unset AZURE_STORAGE_KEY"},
		{403, "AuthenticationFailed", cloud.BadCredentials, "clock"},
		{401, "NoAuthenticationInformation", cloud.BadCredentials, "AZURE_STORAGE_SAS_TOKEN"},
		{400, "InvalidResourceName", cloud.Misconfigured, "container's name"},
		{409, "BlobImmutableDueToPolicy", cloud.Protected, "immutability policy"},
		{409, "BlobArchived", cloud.Frozen, "archive tier"},
		{409, "BlockCountExceedsLimit", cloud.Other, "a week after"},
	} {
		t.Run(c.code, func(t *testing.T) {
			f, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) { fail(w, c.status, c.code) })
			_, err := storetest.PutBytes(t, b, "data/a", []byte("a"))
			if dialect.KindOf(err) != c.kind {
				t.Fatalf("%v (%v)", err, dialect.KindOf(err))
			}
			says := []string{c.says, "putting data/a", "azblob://bucket"}
			if c.kind != cloud.NoBucket {
				says = append(says, c.code, "it is so", "r-1")
			}
			for _, want := range says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			if s := err.Error(); strings.Contains(s, "topsecret") || strings.Contains(s, "SharedKey") || strings.Contains(s, "\n") {
				t.Errorf("%q contains a secret or several lines", s)
			}
			if n := len(f.seen()); n > 2 {
				t.Errorf("%d requests: %q", n, f.seen())
			}
		})
	}
}

// A Put succeeds after one 503, one broken connection and one damaged transfer.
func TestAzureRetries(t *testing.T) {
	var n atomic.Int32
	_, b := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			fail(w, http.StatusServiceUnavailable, "ServerBusy")
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			fail(w, http.StatusBadRequest, "Md5Mismatch")
		default:
			f.serve(w, r, false)
		}
	})
	if _, err := storetest.PutBytes(t, b, "a", make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
}
