package s3

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// spentBudget returns a budget without retries.
func spentBudget() *cloud.Budget {
	spent := cloud.NewBudget(1)
	for spent.Spend() == nil {
	}
	return spent
}

// A web page is no answer of S3, whatever its status is. It stores nothing, deletes nothing, and does not show that an
// object is there or missing.
func TestS3WebPages(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusNonAuthoritativeInfo, http.StatusNotFound} {
		for _, checksum := range []string{"crc32c", "md5", "none"} {
			f, b := newFakeAt(t, "&versions=false&checksum="+checksum, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { storetest.WebPage(w, status) })
			storetest.CheckWebPages(t, b, fmt.Sprintf("HTTP %d, checksum=%s", status, checksum))
			if n := len(f.seen()); n > 16 {
				t.Errorf("HTTP %d, checksum=%s: %d requests: %q", status, checksum, n, f.seen())
			}
		}
	}
}

// A gateway may give its answers a type of its framework although they have no content. No page arrived.
func TestS3EmptyAnswersWithATypeOfPages(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNotFound} {
		var o object
		_, b := newFakeAt(t, "&versions=false&checksum=md5", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPut && status == http.StatusOK {
				o.serve(w, r, false)
				return
			}
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(status)
		})
		_, putErr := storetest.PutBytes(t, b, "a", []byte("a"))
		_, getErr := b.Get(t.Context(), "a", 0, -1)
		if status == http.StatusOK && putErr != nil {
			t.Errorf("putting: %v", putErr)
		}
		if errors.Is(getErr, cloud.ErrWebPage) || status == http.StatusNotFound && !errors.Is(getErr, fs.ErrNotExist) {
			t.Errorf("HTTP %d: getting: %v", status, getErr)
		}
	}
}

// Without a header of the service, an empty page is no content of an object.
func TestS3EmptyPageIsNoContent(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNoContent} {
		_, b := newFakeAt(t, "&versions=false", cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
		})
		if _, err := b.Get(t.Context(), "a", 0, -1); !errors.Is(err, cloud.ErrWebPage) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}

// An object may be a web page itself: the service's own headers show that.
func TestS3ObjectThatIsAWebPage(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "1")
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html>")
	})
	if got := readAll(t, b, "a", 0, -1); got != "<html>" {
		t.Errorf("%q", got)
	}
}

// An answer that acknowledges nothing does not count as success: neither an ETag nor a checksum is in it. What is stored
// then decides.
func TestS3PutThatIsNotAcknowledged(t *testing.T) {
	for _, checksum := range []string{"crc32c", "md5", "none"} {
		for _, status := range []int{http.StatusOK, http.StatusNoContent} {
			for _, stores := range []bool{true, false} {
				var o object
				_, b := newFakeAt(t, "&versions=false&checksum="+checksum, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodPut {
						o.serve(w, r, false)
						return
					}
					if stores {
						o.serve(w, r, false)
					}
					w.Header().Del("ETag")
					w.Header().Del("X-Amz-Checksum-Crc32c")
					w.WriteHeader(status)
				})
				_, err := storetest.PutBytes(t, b, "a", []byte("a"))
				var isRight bool
				switch {
				case !stores:
					isRight = err != nil && strings.Contains(err.Error(), "acknowledge")
				case checksum == "crc32c": // the service has not confirmed that it compared the checksum
					isRight = errors.Is(err, store.ErrWeakStore)
				default:
					isRight = err == nil
				}
				if !isRight {
					t.Errorf("checksum=%s, HTTP %d, stores %v: %v", checksum, status, stores, err)
				}
			}
		}
	}
}

// Each answer of an upload in parts must have what it is for. A part that is sent without the id of an upload could become
// the object.
func TestS3UploadWithEmptyAnswers(t *testing.T) {
	const begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
	for name, c := range map[string]struct{ begun, etag, completed, says string }{
		"no id":              {begun: "<InitiateMultipartUploadResult/>", says: "no id of an upload"},
		"an error for an id": {begun: "<Error><Code>AccessDenied</Code></Error>", says: "AccessDenied"},
		"nothing for an id":  {says: "no id of an upload"},
		"no ETag":            {begun: begun, says: "acknowledge"},
		"nothing completed":  {begun: begun, etag: `"e"`, says: "acknowledge"},
		"no result":          {begun: begun, etag: `"e"`, completed: "<CompleteMultipartUploadResult/>", says: "acknowledge"},
		"an error at the end": {
			begun: begun, etag: `"e"`, says: "AccessDenied",
			completed: "<?xml version=\"1.0\"?>\n  \n<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
		},
	} {
		for _, checksum := range []string{"crc32c", "md5"} {
			f, b := newFakeAt(t, "&versions=false&checksum="+checksum, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				switch q := r.URL.Query(); {
				case r.Method == http.MethodPost && q.Has("uploads"):
					io.WriteString(w, c.begun)
				case r.Method == http.MethodPost:
					io.WriteString(w, c.completed)
				case strings.Trim(r.URL.Path, "/") == "bucket":
				case r.Method == http.MethodPut && c.etag == "":
					w.Header().Del("ETag")
				case r.Method == http.MethodPut:
				case r.Method == http.MethodDelete:
					w.WriteHeader(http.StatusNoContent)
				default:
					fail(w, http.StatusNotFound, "NoSuchKey")
				}
			})
			_, err := storetest.PutBytes(t, b, "a", make([]byte, cloud.SingleMax+1))
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, store.ErrWeakStore) {
				t.Errorf("%s, checksum=%s: %v", name, checksum, err)
			}
			if got := f.seen(); c.begun != begun && slices.ContainsFunc(got, func(r string) bool { return strings.HasPrefix(r, "PUT") }) {
				t.Errorf("%s, checksum=%s: sent parts: %q", name, checksum, got)
			}
		}
	}
}

// A delete succeeds only if the answer is that of a delete.
func TestS3DeleteThatIsNotAnswered(t *testing.T) {
	for _, answer := range []string{
		"", "{}", "<ListBucketResult/>", "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>", "<DeleteResult>",
		"<DeleteResult/>",
	} {
		f, b := newFake(t, cloud.Options{Budget: spentBudget()}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
		if err := b.Delete(t.Context(), store.AnyVersion("a", "b")); err == nil || strings.Contains(err.Error(), "listing") || len(f.seen()) > cloud.MaxAttempts {
			t.Errorf("%q: %v after %d requests", answer, err, len(f.seen()))
		}
	}
}

// An object that is neither deleted nor refused in an answer counts as not deleted, and the error names it.
func TestS3DeleteAnswersEachObject(t *testing.T) {
	for answered, versions := range map[string]string{
		"<Key>a</Key>": "false", "<Key>a</Key><VersionId>1</VersionId>": "true", "<Key>a</Key><VersionId/>": "true",
	} {
		var sent []byte
		_, b := newFakeAt(t, "&versions="+versions, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("versions") {
				io.WriteString(w, "<ListVersionsResult><Version><Key>a</Key><VersionId>1</VersionId><Size>1</Size></Version>"+
					"<Version><Key>b</Key><VersionId>2</VersionId><Size>1</Size></Version></ListVersionsResult>")
				return
			}
			sent, _ = io.ReadAll(r.Body)
			fmt.Fprintf(w, "<DeleteResult><Deleted>%s</Deleted></DeleteResult>", answered)
		})
		err := b.Delete(t.Context(), store.AnyVersion("a", "b"))
		if !errors.Is(err, cloud.ErrBadAnswer) || strings.Count(err.Error(), "deleting") != 1 ||
			!strings.Contains(err.Error(), "deleting b") {
			t.Errorf("%s: %v", answered, err)
		}
		if strings.Contains(string(sent), "<Quiet>true") {
			t.Errorf("%s: sent %s", answered, sent)
		}
	}
}

// A gateway may take GetBucketVersioning for a listing. That does not show that there are no versions.
func TestS3VersioningIsAnotherDocument(t *testing.T) {
	for answer, warns := range map[string]bool{
		"<ListBucketResult/>": true, "<VersioningConfiguration/>": false,
		`<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>`: false,
	} {
		var log strings.Builder
		options := cloud.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
		_, b := newFakeAt(t, "", options, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case q.Has("versioning"):
				io.WriteString(w, answer)
			case q.Has("versions"):
				io.WriteString(w, "<ListVersionsResult/>")
			default:
				io.WriteString(w, "<ListBucketResult/>")
			}
		})
		for _, err := range b.List(t.Context(), "", "", "") {
			t.Errorf("%q: %v", answer, err)
		}
		if warns != strings.Contains(log.String(), "versions=true") {
			t.Errorf("%q: %s", answer, log.String())
		}
	}
}

// What a proxy sends once in place of the configuration does not turn the versions off for the life of the process.
func TestS3VersioningAnsweredByAProxyOnce(t *testing.T) {
	f := &versionsFake{status: "Enabled", keys: []string{"data/a"}}
	for _, answer := range []string{"", "{}", "<VersioningConfig", "<html/>", "<Error><Code>Strange</Code></Error>"} {
		n := 0
		_, b := newFakeAt(t, "", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("versioning") {
				if n++; n == 1 {
					io.WriteString(w, answer)
					return
				}
			}
			f.serve(w, r)
		})
		_, err := b.Get(t.Context(), "data/a", 0, -1)
		if err == nil || !strings.Contains(err.Error(), "versions=true or versions=false") {
			t.Errorf("%q: %v", answer, err)
		}
		if got := readAll(t, b, "data/a", 0, -1); got != "data/a" || n != 2 {
			t.Errorf("%q: %q after %d requests", answer, got, n)
		}
	}
}

// A proxy may drop the length of an answer to HEAD. The size is not 0 then: that would be another object.
func TestS3HeadWithoutLength(t *testing.T) {
	for _, content := range []string{"content", ""} {
		var o object
		o.content, o.exists = []byte(content), true
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Del("Content-Length")
			case r.Header.Get("Range") == "":
				o.serve(w, r, false)
			case content == "":
				fail(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			default:
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-0/%d", len(content)))
				w.WriteHeader(http.StatusPartialContent)
				io.WriteString(w, content[:1])
			}
		})
		if is, err := b.Stat(t.Context(), "a"); err != nil || is.Size != int64(len(content)) {
			t.Errorf("%q: %d bytes, %v", content, is.Size, err)
		}
	}
}

// Whatever asks for patience is tried again, also in the words of other services, and of the proxies before them.
func TestS3PatienceIsTriedAgain(t *testing.T) {
	for code, status := range map[string]int{
		"TooManyRequests": 429, "RequestThrottled": 400, "SlowDownRead": 503, "SlowDown": 503, "ThrottlingException": 400, "BandwidthLimitExceeded": 509,
		"InternalError": 500, "": 429, " ": 520, "  ": 524, "   ": 502,
	} {
		var o object
		n := 0
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			switch n++; {
			case n > 2:
				o.serve(w, r, false)
			case strings.TrimSpace(code) == "":
				storetest.WebPage(w, status)
			default:
				w.Header().Set("Retry-After", "1")
				fail(w, status, code)
			}
		})
		if _, err := storetest.PutBytes(t, b, "a", []byte("a")); err != nil || n != 3 {
			t.Errorf("%d %s: %v after %d requests", status, code, err, n)
		}
	}
}

// Services and proxies write an ETag in several ways. It is the same tag, so a repair may delete what it has read.
func TestS3SpellingsOfETags(t *testing.T) {
	for _, listed := range []string{`"abc"`, "abc", `W/"abc"`, "&quot;abc&quot;"} {
		for _, head := range []string{`"abc"`, "abc", `W/"abc"`, `"other"`} {
			var body string
			_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodGet:
					fmt.Fprintf(w, "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>%s</ETag></Contents></ListBucketResult>", listed)
				case http.MethodHead:
					w.Header().Set("ETag", head)
					w.Header().Set("Content-Length", "1")
				default:
					sent, _ := io.ReadAll(r.Body)
					body = string(sent)
					deleteAll(w, bytes.NewReader(sent))
				}
			})
			var found []store.Object
			for o, err := range b.List(t.Context(), "", "", "") {
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, o)
			}
			err := b.Delete(t.Context(), found)
			if is := errors.Is(err, store.ErrChanged); is != (head == `"other"`) || !is && err != nil || !is && !strings.Contains(body, ">abc<") && !strings.Contains(body, "&#34;abc&#34;") && !strings.Contains(body, `"abc"`) {
				t.Errorf("listed as %s, now %s: %v; sent %q", listed, head, err, body)
			}
		}
	}
}

// A proxy may compress an answer although the request does not accept that. The content arrives all the same; a range of it
// is no range of the object.
func TestS3CompressedByAProxy(t *testing.T) {
	const content = "the content of an object, and more of it, and more of it"
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			if strings.HasSuffix(r.URL.Path, "/refused") { // so whether the object is compressed is not known
				w.WriteHeader(http.StatusForbidden)
			}
			return
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, content)
		z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 4-7/%d", packed.Len()))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(packed.Bytes()[4:8])
			return
		}
		w.Write(packed.Bytes())
	})
	if got := readAll(t, b, "a", 0, -1); got != content {
		t.Errorf("%q", got)
	}
	if _, err := b.Get(t.Context(), "a", 4, 4); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("a range: %v", err)
	}
	if _, err := b.Get(t.Context(), "refused", 0, -1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without the size: %v", err)
	}
}

// An object may have the header although its bytes are the stored ones: a program that copied it may have set it.
func TestS3NamedCompressed(t *testing.T) {
	for _, content := range []string{"", "c", "content"} {
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, content)
		})
		if got := readAll(t, b, "a", 0, -1); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
}

// A log file that is a gzip stream may have the header, too. The size of the object shows that nothing was compressed on
// the way, of the whole and of a part.
func TestS3StoredCompressed(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "content")
	z.Close()
	content := packed.String()
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
			w.Header().Set("Content-Length", "4")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 4-7/%d", len(content)))
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, content[4:8])
			return
		}
		io.WriteString(w, content)
	})
	if got := readAll(t, b, "a", 0, -1); got != content {
		t.Errorf("%q, want %q", got, content)
	}
	if got := readAll(t, b, "a", 4, 4); got != content[4:8] {
		t.Errorf("a part: %q, want %q", got, content[4:8])
	}
}

// A listing that lacks what it is for is none: an object without a size would count as damaged.
func TestS3ListingThatLacksFields(t *testing.T) {
	for versions, element := range map[string]string{"false": "Contents", "true": "Version"} {
		root := map[string]string{"false": "ListBucketResult", "true": "ListVersionsResult"}[versions]
		for _, fields := range []string{"<Key>a</Key>", "<Size>1</Size>", "", "<Key/><Size>1</Size>"} {
			_, b := newFakeAt(t, "&versions="+versions, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, "<%s><%s>%s<VersionId>v</VersionId></%s></%s>", root, element, fields, element, root)
			})
			var last error
			for _, err := range b.List(t.Context(), "", "", "") {
				last = err
			}
			if !errors.Is(last, cloud.ErrBadListing) {
				t.Errorf("versions=%s, %q: %v", versions, fields, last)
			}
		}
	}
}
