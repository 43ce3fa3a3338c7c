package providers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// open opens a URL for a test.
func open(t *testing.T, url string, o Options) Bucket {
	t.Helper()
	b, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// patience ends the wait for what does not come: far beyond what anything takes.
const patience = 5 * time.Minute

func TestMemory(t *testing.T) {
	t.Parallel()
	n := time.Now().UnixNano() // what is in memory stays there when the test is run again
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, fmt.Sprintf("mem://conformance/a/%d", n), Options{})
	}, storetest.Options{Checksums: true, HashesAll: true})
}

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, "file://"+t.TempDir()+"/new/archive", Options{})
	}, storetest.Options{HashesAll: true, Uploads: leftTemporary})
}

// twoPages are as many keys as a listing returns in two pages.
const twoPages = listPage + 100

func TestS3(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "", 0)
}

// In a bucket that keeps versions everything is as in any other.
func TestS3WithVersions(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3Versions, "", twoPages)
}

// Services that know no CRC-32C, or cannot refuse what exists, keep the other promises.
func TestS3WithMD5(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "md5", twoPages)
}

func TestS3WithoutChecksums(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "none", twoPages)
}

func TestS3OverTLS(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3TLS, "", twoPages)
}

func testS3(t *testing.T, newServer func(*testing.T) *storetest.Server, checksum string, many int) {
	server := newServer(t)
	n, boundary := 0, int64(singleMax)
	if checksum != "" {
		boundary = minPart
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return openWeak(t, server.URL, fmt.Sprintf("orders/node-1/%d/", n), checksum)
	}, storetest.Options{
		Checksums: checksum == "", Boundary: boundary, Part: minPart, Many: many,
		Uploads: func(t *testing.T, s store.Store, key string) int {
			own := *server
			own.Prefix = s.(*s3Store).prefix
			return own.Uploads(t, key)
		},
	})
}

// openWeak opens an S3 archive at a prefix, with a parameter for the checksum.
func openWeak(t *testing.T, url, prefix, checksum string) *s3Store {
	t.Helper()
	a, err := parse(url)
	if err != nil {
		t.Fatal(err)
	}
	a.prefix = prefix
	if checksum != "" {
		a.params["checksum"] = checksum
	}
	b, err := openS3(t.Context(), &a, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*s3Store)
}

// A large object arrives in parts at each service, comes back, and is found again.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) store.Store{
		"file":        func(t *testing.T) store.Store { return open(t, "file://"+t.TempDir()+"/archive", Options{}) },
		"S3":          func(t *testing.T) store.Store { return open(t, storetest.S3(t), Options{}) },
		"S3 over TLS": func(t *testing.T) store.Store { return open(t, storetest.NewS3TLS(t).URL, Options{}) },
		"S3 with MD5": func(t *testing.T) store.Store { return openWeak(t, storetest.S3(t), "weak/", "md5") },
		"Azure":       func(t *testing.T) store.Store { return open(t, storetest.Azure(t), Options{}) },
		"GCS":         func(t *testing.T) store.Store { return open(t, storetest.GCS(t), Options{}) },
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // ends when all stores have
			for name, fresh := range stores {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					storetest.Large(t, fresh(t), storetest.Options{Checksums: strings.HasPrefix(name, "S3") && name != "S3 with MD5" || name == "GCS"})
				})
			}
		})
	})
}
