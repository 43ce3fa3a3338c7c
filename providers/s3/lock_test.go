package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Objects that are sent in one request or in parts are locked when they are put. The server then refuses to
// delete them.
func TestS3Lock(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3Locks(t)
	b := open(t, server.URL+"&lock=GOVERNANCE&lock_for=2d", cloud.Options{}).(*adapter)
	for _, size := range []int{0, 10, cloud.SingleMax + 1} {
		key := fmt.Sprint("data/", size)
		if _, err := storetest.PutBytes(t, b, key, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		until, mode := server.LockedUntil(t, key)
		if left := time.Until(until); mode != types.ObjectLockRetentionModeGovernance || left < 48*time.Hour-time.Minute || left > 54*time.Hour {
			t.Errorf("%s is locked by %s until %v", key, mode, until)
		}
		if err := b.Delete(t.Context(), store.AnyVersion(key)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("deleting %s: %v", key, err)
		}
		if len(server.Versions(t, key)) != 1 {
			t.Errorf("%s is gone", key)
		}
		if locked, err := b.Locked(t.Context(), key); !locked || err != nil {
			t.Errorf("%s is locked: %v, %v", key, locked, err)
		}
	}
	// A store with a longer period reports these as not locked, and extends the lock of the oldest
	// version, not of the newest.
	server.Intrude(t, "data/10", "intruder")
	longer := open(t, server.URL+"&lock=GOVERNANCE&lock_for=4d&legal_hold=true", cloud.Options{}).(*adapter)
	if locked, err := longer.Locked(t.Context(), "data/10"); locked || err != nil {
		t.Errorf("locked: %v, %v", locked, err)
	}
	if err := longer.Lock(t.Context(), "data/10"); err != nil {
		t.Fatal(err)
	}
	if locked, err := longer.Locked(t.Context(), "data/10"); !locked || err != nil {
		t.Errorf("after Lock, locked: %v, %v", locked, err)
	}
	until, _ := server.LockedUntil(t, "data/10")
	if time.Until(until) < 95*time.Hour {
		t.Errorf("locked until %v", until)
	}
	// Lock never shortens a lock: the period of the first store is shorter.
	if err := b.Lock(t.Context(), "data/10"); err != nil {
		t.Errorf("a shorter lock: %v", err)
	}
	if still, _ := server.LockedUntil(t, "data/10"); !still.Equal(until) {
		t.Errorf("the lock ended at %v and now ends at %v", until, still)
	}
}

// A legal hold needs no period.
func TestS3LegalHold(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3Locks(t)
	plain := open(t, server.URL, cloud.Options{}).(*adapter)
	if until, locks := plain.RenewLock(); locks || !until.IsZero() {
		t.Errorf("without parameters objects are locked until %v", until)
	}
	if _, err := storetest.PutBytes(t, plain, "data/a", []byte("a")); err != nil {
		t.Fatal(err)
	}
	b := open(t, server.URL+"&legal_hold=true", cloud.Options{}).(*adapter)
	if until, locks := b.RenewLock(); !locks || !until.IsZero() {
		t.Errorf("objects are locked until %v: %v", until, locks)
	}
	if locked, err := b.Locked(t.Context(), "data/a"); locked || err != nil {
		t.Errorf("locked: %v, %v", locked, err)
	}
	if err := b.Lock(t.Context(), "data/a"); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.PutBytes(t, b, "data/b", []byte("b")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"data/a", "data/b"} {
		if locked, err := b.Locked(t.Context(), key); !locked || err != nil {
			t.Errorf("%s is on hold: %v, %v", key, locked, err)
		}
		if err := b.Delete(t.Context(), store.AnyVersion(key)); err == nil {
			t.Errorf("%s was deleted", key)
		}
	}
}

// If a bucket cannot lock, the first Put fails, and no unlocked object is stored.
func TestS3LockWithoutObjectLock(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3Versions(t)
	b := open(t, server.URL+"&lock=GOVERNANCE&lock_for=2d", cloud.Options{})
	if _, err := storetest.PutBytes(t, b, "data/a", []byte("a")); err == nil || !strings.Contains(err.Error(), "Lock") {
		t.Errorf("%v", err)
	}
	if got := server.Keys(t, ""); len(got) != 0 {
		t.Errorf("the bucket holds %q", got)
	}
}

// Locks end on a grid, between one period and nine eighths of it from now.
func TestLockGrid(t *testing.T) {
	t.Parallel()
	a := &cloud.Address{Params: map[string]string{"lock": "COMPLIANCE", "lock_for": "8d"}}
	day := 24 * time.Hour
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, err := lockOf(a, start)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[time.Time]bool{}
	for h := range 10 * 24 {
		now := start.Add(time.Duration(h) * time.Hour)
		end := l.endFrom(now)
		if left := end.Sub(now); left <= 8*day || left > 9*day {
			t.Fatalf("a lock of %v ends at %v", now, end)
		}
		ends[end] = true
	}
	if len(ends) != 10 && len(ends) != 11 {
		t.Errorf("%d ends in ten days", len(ends))
	}
	// An object that is put days after a renewal has its end; long after the renewal it has a new one.
	end := *l.until(start)
	if got := *l.until(start.Add(3 * day)); !got.Equal(end) {
		t.Errorf("three days later until %v, want %v", got, end)
	}
	if got := *l.until(start.Add(100 * day)); got.Before(start.Add(108 * day)) {
		t.Errorf("a hundred days later until %v", got)
	}
	if got := l.renew(start.Add(3 * day)); !got.After(end) || !l.until(start.Add(3*day)).Equal(got) {
		t.Errorf("renewed until %v", got)
	}
}

// The headers for the URL's settings are sent with each object, in one request or in parts.
func TestS3HeadersOfSettings(t *testing.T) {
	type request struct {
		method, key string
		query       string
		header      http.Header
	}
	for _, c := range []struct {
		params string
		want   map[string]string
		class  string // of data only
	}{
		{"&ssetype=AES256", map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}, ""},
		{
			"&ssetype=aws:kms&kmskeyid=alias/mine",
			map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/mine"},
			"",
		},
		{"&ssetype=aws:kms:dsse", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms:dsse"}, ""},
		{"&storage_class=STANDARD_IA", nil, "STANDARD_IA"},
		{"&storage_class=COLD_LINE", nil, "COLD_LINE"}, // unknown, but allowed with an endpoint
		{"&lock=COMPLIANCE&lock_for=400d&legal_hold=true", map[string]string{"X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Legal-Hold": "ON"}, ""},
	} {
		t.Run(c.params, func(t *testing.T) {
			var seen []request
			_, b := newFakeAt(t, c.params, cloud.Options{Transfers: 1}, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				seen = append(seen, request{r.Method, strings.TrimPrefix(r.URL.Path, "/bucket/"), r.URL.RawQuery, r.Header})
				switch q := r.URL.Query(); {
				case q.Has("versioning"), r.Method == http.MethodHead && r.URL.Path == "/bucket":
					io.WriteString(w, `<VersioningConfiguration/>`)
				case q.Has("versions"):
					io.WriteString(w, `<ListVersionsResult/>`)
				case r.Method == http.MethodHead:
					w.WriteHeader(http.StatusNotFound)
				case q.Has("uploads"):
					io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
				case r.Method == http.MethodPut:
					w.Header().Set("ETag", `"e"`)
				case r.Method == http.MethodPost:
					fmt.Fprintf(w, `<CompleteMultipartUploadResult><ChecksumCRC32C>%s</ChecksumCRC32C></CompleteMultipartUploadResult>`, r.Header.Get("X-Amz-Checksum-Crc32c"))
				}
			})
			s := b.(*adapter)
			for key, size := range map[string]int{"data/a": 10, "manifests/a": 10, "bundles/a": cloud.SingleMax + 1} {
				src := cloud.NewBody(strings.NewReader(strings.Repeat("x", size)), int64(size))
				put := s.putWhole
				if size > cloud.SingleMax {
					put = s.putParts
				}
				if _, err := put(context.Background(), key, src, storetest.SumsOf([]byte(strings.Repeat("x", size)))); err != nil {
					t.Fatal(err)
				}
			}
			looked := 0
			for _, r := range seen {
				if (r.method != http.MethodPut || strings.Contains(r.query, "partNumber")) && !strings.Contains(r.query, "uploads") {
					continue // a request that creates no object
				}
				looked++
				for name, want := range c.want {
					if got := r.header.Get(name); got != want {
						t.Errorf("%s %s: %s is %q, want %q", r.method, r.key, name, got, want)
					}
				}
				class := c.class
				if strings.HasPrefix(r.key, "manifests/") {
					class = ""
				}
				if got := r.header.Get("X-Amz-Storage-Class"); got != class {
					t.Errorf("%s %s: storage class %q, want %q", r.method, r.key, got, class)
				}
				until, err := time.Parse(time.RFC3339, r.header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
				if locks := strings.Contains(c.params, "lock_for"); locks && (err != nil || time.Until(until) < 400*24*time.Hour) || !locks && err == nil {
					t.Errorf("%s %s: locked until %v, %v", r.method, r.key, until, err)
				}
			}
			if looked != 3 {
				t.Errorf("%d of %d requests create objects", looked, len(seen))
			}
		})
	}
}

// Locks also work with MD5, and can be added to objects that were stored without a lock.
func TestS3LockWithMD5(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3Locks(t)
	plain := open(t, server.URL, cloud.Options{})
	b := open(t, server.URL+"&lock=GOVERNANCE&lock_for=2d&legal_hold=true&checksum=md5", cloud.Options{}).(*adapter)
	if _, err := storetest.PutBytes(t, plain, "data/old", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if locked, err := b.Locked(t.Context(), "data/old"); locked || err != nil {
		t.Errorf("locked: %v, %v", locked, err)
	}
	if err := b.Lock(t.Context(), "data/old"); err != nil {
		t.Fatal(err)
	}
	for key, size := range map[string]int{"data/small": 10, "data/large": minPart + 1} {
		if _, err := storetest.PutBytes(t, b, key, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"data/old", "data/small", "data/large"} {
		if locked, err := b.Locked(t.Context(), key); !locked || err != nil {
			t.Errorf("%s is locked: %v, %v", key, locked, err)
		}
	}
	if err := b.Lock(t.Context(), "data/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("locking a missing object: %v", err)
	}
}
