package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Open refuses parameters that are invalid or exclude each other, and its error states what to write.
func TestS3SettingsRefused(t *testing.T) {
	t.Parallel()
	for params, says := range map[string]string{
		"checksum=sha1":                                  "[crc32c md5 none]",
		"create_only=no":                                 "[true false]",
		"conditional_delete=no":                          "[true false]",
		"versions=maybe":                                 "[auto true false]",
		"ssetype=AES256&kmskeyid=k":                      "ssetype=aws:kms",
		"kmskeyid=k":                                     "ssetype=aws:kms",
		"storage_class=COLD":                             "STANDARD_IA",
		"storage_class=standard":                         "STANDARD_IA",
		"storage_class=GLACIER&checksum=md5":             "leave out checksum=md5",
		"storage_class=DEEP_ARCHIVE&checksum=none":       "leave out checksum=none",
		"storage_class=a%20b&endpoint=http://h":          "STANDARD_IA",
		"lock=governance&lock_for=1d":                    "[GOVERNANCE COMPLIANCE]",
		"lock=GOVERNANCE":                                "lock_for=30d",
		"lock_for=30d":                                   "lock=GOVERNANCE",
		"lock=GOVERNANCE&lock_for=30":                    "30d or 36h",
		"lock=GOVERNANCE&lock_for=-1d":                   "30d or 36h",
		"lock=GOVERNANCE&lock_for=59m":                   "from 1h",
		"lock=GOVERNANCE&lock_for=36501d":                "to 36500d",
		"lock=GOVERNANCE&lock_for=99999999999999999999d": "30d or 36h",
		"lock=GOVERNANCE&lock_for=1d&versions=false":     "leave out versions=false",
		"legal_hold=true&checksum=none":                  "checksum=md5",
		"legal_hold=perhaps":                             "true or false",
	} {
		_, err := Open(t.Context(), "s3://bucket?region=x&"+params, cloud.Options{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q in it", params, err, says)
		}
	}
	for _, params := range []string{
		"", "checksum=md5", "checksum=none&create_only=false", "storage_class=GLACIER_IR", "storage_class=GLACIER", "storage_class=DEEP_ARCHIVE", "storage_class=Z-1_A&endpoint=http://h",
		"lock=COMPLIANCE&lock_for=36500d", "lock=GOVERNANCE&lock_for=90m&versions=auto&checksum=md5", "legal_hold=true", "legal_hold=false&versions=false",
	} {
		b, err := Open(t.Context(), "s3://bucket?region=x&"+params, cloud.Options{})
		if err != nil {
			t.Errorf("%s: %v", params, err)
			continue
		}
		b.Close()
	}
}

// A bucket waives only the guarantees that its URL gives up.
func TestS3Weak(t *testing.T) {
	t.Parallel()
	for params, want := range map[string][]store.Guarantee{
		"": nil, "checksum=md5": nil, "checksum=none": {store.Checksums}, "create_only=false": {store.CreateOnly},
		"conditional_delete=false":        {store.ConditionalDelete},
		"checksum=none&create_only=false": {store.CreateOnly, store.Checksums},
	} {
		b := open(t, "s3://bucket?region=x&"+params, cloud.Options{}).(store.Waiver)
		for _, p := range []store.Guarantee{store.CreateOnly, store.Checksums, store.ConditionalDelete, "other"} {
			if got := b.Waives(p); got != slices.Contains(want, p) {
				t.Errorf("%q: waives %s: %v", params, p, got)
			}
		}
	}
}

// Put fails if the service does not confirm that it has compared the checksum, unless the URL has
// checksum=none.
func TestS3Unchecked(t *testing.T) {
	for params, refused := range map[string]bool{"": true, "&checksum=none": false} {
		o := object{careless: true}
		_, b := newFakeAt(t, "&versions=false"+params, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/bucket" {
				o.serve(w, r, false)
			}
		})
		_, err := storetest.PutBytes(t, b, "a", []byte("content"))
		if errors.Is(err, store.ErrWeakStore) != refused || !refused && err != nil {
			t.Errorf("%q: %v", params, err)
		}
		if refused && !strings.Contains(err.Error(), "checksum=none") {
			t.Errorf("no advice: %v", err)
		}
	}
}

// The requests to a service that supports only MD5, or no checksum. Delete sends a checksum that the service
// supports.
func TestS3RequestsOfWeakServices(t *testing.T) {
	content := []byte("content")
	sum := md5.Sum(content)
	for _, c := range []struct {
		params, md5, ifNone string
		requests            []string
	}{
		{"&checksum=md5", base64.StdEncoding.EncodeToString(sum[:]), "*", []string{"GET a", "PUT a", "POST /bucket"}},
		{"&checksum=none&create_only=false", "", "", []string{"GET a", "PUT a", "POST /bucket"}},
	} {
		t.Run(c.params, func(t *testing.T) {
			var o object
			f, b := newFakeAt(t, "&versions=false"+c.params, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/bucket" && r.Method == http.MethodPost:
					body, _ := io.ReadAll(r.Body)
					got := md5.Sum(body)
					if r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(got[:]) || r.Header.Get("X-Amz-Checksum-Crc32") != "" {
						t.Errorf("headers of DeleteObjects: %v", r.Header)
					}
					deleteAll(w, bytes.NewReader(body))
				case r.URL.Path == "/bucket":
				default:
					o.serve(w, r, false)
				}
			})
			if _, err := storetest.PutBytes(t, b, "a", content); err != nil {
				t.Fatal(err)
			}
			put := f.headers[1]
			for name, want := range map[string]string{"Content-Md5": c.md5, "If-None-Match": c.ifNone, "X-Amz-Checksum-Crc32c": "", "X-Amz-Sdk-Checksum-Algorithm": ""} {
				if got := put.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if err := b.Delete(t.Context(), store.AnyVersion("a")); err != nil {
				t.Fatal(err)
			}
			if got := f.seen(); !slices.Equal(got, c.requests) {
				t.Errorf("requests %q, want %q", got, c.requests)
			}
			// The store compares an existing object before it sends any content.
			for _, other := range [][]byte{content, []byte("CONTENT")} {
				before := len(f.seen())
				stored, err := storetest.PutBytes(t, b, "a", other)
				if same := bytes.Equal(other, content); same && (err != nil || !stored.Existed) || !same && !errors.Is(err, store.ErrExists) {
					t.Errorf("%s: %+v, %v", other, stored, err)
				}
				if got := f.seen()[before:]; slices.Contains(got, "PUT a") {
					t.Errorf("requests %q", got)
				}
			}
		})
	}
}

// Without create-only an existing object is still found if no other writer is active.
func TestS3WithoutCreateOnly(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3(t)
	b := open(t, server.URL+"&create_only=false&checksum=none", cloud.Options{})
	for _, size := range []int{0, 10, minPart + 1} {
		key, content := fmt.Sprint("data/", size), bytes.Repeat([]byte("x"), size)
		for _, existed := range []bool{false, true} {
			if stored, err := storetest.PutBytes(t, b, key, content); err != nil || stored.Existed != existed {
				t.Errorf("%s: %+v, %v", key, stored, err)
			}
		}
		if _, err := storetest.PutBytes(t, b, key, append([]byte("y"), content...)); !errors.Is(err, store.ErrExists) {
			t.Errorf("another content under %s: %v", key, err)
		}
		if got := readAll(t, b, key, 0, -1); got != string(content) {
			t.Errorf("%s was overwritten", key)
		}
	}
	if err := b.Delete(t.Context(), store.AnyVersion("data/10")); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, b, "", "", ""); len(got) != 2 {
		t.Errorf("after Delete the bucket has %q", got)
	}
}
