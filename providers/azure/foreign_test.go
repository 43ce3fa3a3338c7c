package azure

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A web page is no answer of Azure, whatever its status is. It does not show that a blob is there or missing.
func TestAzureWebPages(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNotFound} {
		f, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) {
			storetest.WebPage(w, status)
		})
		storetest.CheckWebPages(t, b, fmt.Sprintf("HTTP %d", status))
		if n := len(f.seen()); n > 16 {
			t.Errorf("HTTP %d: %d requests: %q", status, n, f.seen())
		}
	}
}

// A listed blob without a size would count as damaged, and one without a name as missing.
func TestAzureListingThatLacksFields(t *testing.T) {
	for _, blob := range []string{
		"<Name>a</Name>", "<Name>a</Name><Properties/>", "<Properties><Content-Length>1</Content-Length></Properties>",
	} {
		_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprintf(w, "<EnumerationResults><Blobs><Blob>%s</Blob></Blobs><NextMarker/></EnumerationResults>", blob)
		})
		var last error
		for _, err := range b.List(t.Context(), "", "", "") {
			last = err
		}
		if !errors.Is(last, cloud.ErrBadListing) {
			t.Errorf("%q: %v", blob, last)
		}
	}
}

// Properties without a length are no empty blob: that would be another object than the one that is put.
func TestAzurePropertiesWithoutLength(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Ms-Version", "1") })
	if o, err := b.Stat(t.Context(), "a"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no length") {
		t.Errorf("%+v, %v", o, err)
	}
}

// An answer with other bytes than the range is an error, also from the beginning on. A proxy may compress whole answers.
func TestAzureOddReads(t *testing.T) {
	const content = "the content of an object, and more of it, and more of it"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, content)
	z.Close()
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/shifted"):
			w.Header().Set("Content-Range", "bytes 5-8/10")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "5678")
		case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/stored"):
			w.Header().Set("Content-Length", fmt.Sprint(packed.Len()))
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		case r.Header.Get("X-Ms-Range") == "" && r.Header.Get("Range") == "":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		default:
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 4-7/%d", packed.Len()))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(packed.Bytes()[4:8])
		}
	})
	if _, err := b.Get(t.Context(), "shifted", 0, 4); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("a shifted range: %v", err)
	}
	if _, err := b.Get(t.Context(), "a", 4, 4); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("a compressed range: %v", err)
	}
	for key, want := range map[string]string{"a": content, "stored": packed.String()} { // the latter is a gzip stream itself
		r, err := b.Get(t.Context(), key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

// An answer without a header of Azure shows nothing, even if it has no content: captive portals send such answers, too.
// What is stored decides about a Put.
func TestAzureAnswersThatAcknowledgeNothing(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent} {
		for _, kind := range []string{"", "text/html"} {
			_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Del("X-Ms-Request-Id")
				if kind != "" {
					w.Header().Set("Content-Type", kind)
				}
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(status)
			})
			checkRefused(t, b, fmt.Sprintf("HTTP %d, type %q", status, kind))
		}
	}
}

func checkRefused(t *testing.T, b cloud.Bucket, what string) {
	t.Helper()
	_, emptyErr := storetest.PutBytes(t, b, "a", nil)
	_, putErr := storetest.PutBytes(t, b, "a", []byte("a"))
	_, largeErr := storetest.PutBytes(t, b, "a", make([]byte, cloud.SingleMax+1))
	_, statErr := b.Stat(t.Context(), "a")
	_, getErr := b.Get(t.Context(), "a", 0, -1)
	_, rangeErr := b.Get(t.Context(), "a", 0, 4)
	thawErr := b.(store.Thawer).Thaw(t.Context(), store.Object{Key: "a"}, store.ThawRequest{})
	for op, err := range map[string]error{
		"putting nothing": emptyErr, "putting": putErr, "putting in blocks": largeErr, "checking": statErr, "getting": getErr,
		"getting a range": rangeErr, "thawing": thawErr, "deleting": b.Delete(t.Context(), store.AnyVersion("a")),
	} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrWeakStore) {
			t.Errorf("%s: %s: %v", what, op, err)
		}
	}
}

// Put Blob, Put Block and Put Block List each need an answer of Azure. If the blob is there, Put succeeds all the same.
func TestAzurePutThatIsNotAcknowledged(t *testing.T) {
	for _, comp := range []string{"", "block", "blocklist"} {
		for _, stores := range []bool{true, false} {
			_, b := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut || r.URL.Query().Get("comp") != comp {
					f.serve(w, r, false)
					return
				}
				if answer := httptest.NewRecorder(); stores {
					f.serve(answer, r, false)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Del("X-Ms-Request-Id")
				w.WriteHeader(http.StatusCreated)
			})
			size := 10
			if comp != "" {
				size = cloud.SingleMax + 1
			}
			_, err := storetest.PutBytes(t, b, "a", make([]byte, size))
			isThere := stores && comp != "block" // blocks alone are no blob
			if (err == nil) != isThere || err != nil && !errors.Is(err, cloud.ErrBadAnswer) {
				t.Errorf("comp=%s, stores %v: %v", comp, stores, err)
			}
		}
	}
}
