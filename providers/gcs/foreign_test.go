package gcs

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

// A web page is no answer of Google, whatever its status is. It deletes nothing, and does not show that an object is there
// or missing.
func TestGCSWebPages(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusAccepted, http.StatusNotFound} {
		f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			storetest.WebPage(w, status)
			return true
		})
		storetest.CheckWebPages(t, b, fmt.Sprintf("HTTP %d", status))
		if n := len(f.seen()); n > 16 {
			t.Errorf("HTTP %d: %d requests: %q", status, n, f.seen())
		}
	}
}

// Google itself answers the read of a missing object with a page, which its own headers show.
func TestGCSMissingObjectAsAPage(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("alt") != "media" {
			return false
		}
		w.Header().Set("X-Guploader-Uploadid", "1")
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "No such object: bucket/p/a")
		return true
	})
	if _, err := b.Get(t.Context(), "a", 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A description that lacks its name is none, and a listed object that lacks all else would count as damaged.
func TestGCSAnswersThatLackFields(t *testing.T) {
	for _, fields := range []string{`{"name":"p/a"}`, `{"size":"1","crc32c":"AAAAAQ=="}`, `{}`} {
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			if strings.HasSuffix(r.URL.Path, "/o") {
				fmt.Fprintf(w, `{"kind":"storage#objects","items":[%s]}`, fields)
				return true
			}
			io.WriteString(w, "{}")
			return true
		})
		var last error
		for _, err := range b.List(t.Context(), "", "", "") {
			last = err
		}
		if !errors.Is(last, cloud.ErrBadListing) {
			t.Errorf("%s: %v", fields, last)
		}
		if o, err := b.Stat(t.Context(), "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", fields, o, err)
		}
	}
}

// A listing omits the CRC-32C of an object that another program encrypted with its own key. That does not
// end the listing, even if the object is empty.
func TestGCSListingOfOthersObjects(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if fields := r.URL.Query().Get("fields"); !strings.Contains(fields, "customerEncryption") {
			t.Errorf("requested %q", fields)
		}
		io.WriteString(w, `{"kind":"storage#objects","items":[`+
			`{"name":"p/a","size":"0","customerEncryption":{"encryptionAlgorithm":"AES256"}},`+
			`{"name":"p/b","size":"5","customerEncryption":{"encryptionAlgorithm":"AES256"}},`+
			`{"name":"p/c","size":"0","crc32c":"AAAAAA=="}]}`)
		return true
	})
	var got []string
	for o, err := range b.List(t.Context(), "", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %d", o.Key, o.Size))
	}
	if want := "a 0, b 5, c 0"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A proxy may compress the answers: the request accepts that, so that objects arrive as they are stored.
func TestGCSCompressedByAProxy(t *testing.T) {
	const content = "the content of an object, and more of it, and more of it"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, content)
	z.Close()
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("alt") != "media" {
			return false
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Goog-Stored-Content-Encoding", "identity")
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 4-7/%d", packed.Len()))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(packed.Bytes()[4:8])
			return true
		}
		w.Write(packed.Bytes())
		return true
	})
	r, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Get(t.Context(), "a", 4, 4); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("a range: %v", err)
	}
}

// An empty answer without a header of Google's shows nothing: captive portals send such answers, too. fake-gcs-server has
// no such header in its answers to deletes, so the type of a page decides there.
func TestGCSEmptyAnswersOfOthers(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent, http.StatusNotFound} {
		for _, kind := range []string{"", "text/html", "application/xhtml+xml"} {
			_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Del("X-Goog-Generation")
				if kind != "" {
					w.Header().Set("Content-Type", kind)
				}
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(status)
				return true
			})
			_, emptyErr := storetest.PutBytes(t, b, "a", nil)
			_, putErr := storetest.PutBytes(t, b, "a", []byte("a"))
			_, getErr := b.Get(t.Context(), "a", 0, -1)
			_, rangeErr := b.Get(t.Context(), "a", 0, 4)
			errs := map[string]error{"putting nothing": emptyErr, "putting": putErr, "getting": getErr, "getting a range": rangeErr}
			if kind != "" {
				errs["deleting"] = b.Delete(t.Context(), store.AnyVersion("a"))
			}
			for op, err := range errs {
				if err == nil || kind != "" && errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrExists) {
					t.Errorf("HTTP %d, type %q: %s: %v", status, kind, op, err)
				}
			}
		}
	}
}

// The answer to an upload must describe the object. Otherwise the object that exists decides.
func TestGCSPutThatIsNotAcknowledged(t *testing.T) {
	for _, content := range []string{"", "content"} {
		for _, answer := range []string{"", "{}", `{"name":"p/a"}`, `{"size":"0","crc32c":"AAAAAA=="}`} {
			for _, stores := range []bool{true, false} {
				var f *fakeService
				var b cloud.Bucket
				f, b = newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != http.MethodPost {
						return false
					}
					if stores {
						f.answer(httptest.NewRecorder(), r)
					}
					_, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Content-Type", "application/json")
					if answer == "" {
						w.WriteHeader(http.StatusNoContent)
					}
					_, _ = io.WriteString(w, answer)
					return true
				})
				stored, err := storetest.PutBytes(t, b, "a", []byte(content))
				if stores && (err != nil || !stored.Existed) || !stores && (err == nil || !errors.Is(err, cloud.ErrBadAnswer)) {
					t.Errorf("%q, answer %q, stores %v: %+v, %v", content, answer, stores, stored, err)
				}
			}
		}
	}
}
