package providers

import (
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers/storetest"
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

func TestMemory(t *testing.T) {
	n := time.Now().UnixNano() // what is in memory stays there when the test is run again
	storetest.Run(t, func(t *testing.T) archive.Store {
		n++
		return open(t, fmt.Sprintf("mem://conformance/a/%d", n), Options{})
	}, storetest.Options{Checksums: true, HashesAll: true})
}

func TestFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) archive.Store {
		return open(t, "file://"+t.TempDir()+"/new/archive", Options{})
	}, storetest.Options{HashesAll: true, Uploads: leftTemporary})
}

func TestS3(t *testing.T) {
	testS3(t, storetest.NewS3, "", 0)
}

// In a bucket that keeps versions everything is as in any other.
func TestS3WithVersions(t *testing.T) {
	testS3(t, storetest.NewS3Versions, "", 64<<20)
}

// Services that know no CRC-32C, or cannot refuse what exists, keep the other promises.
func TestS3WithMD5(t *testing.T) {
	testS3(t, storetest.NewS3, "md5", 64<<20)
}

func TestS3WithoutChecksums(t *testing.T) {
	testS3(t, storetest.NewS3, "none", 64<<20)
}

func TestS3OverTLS(t *testing.T) {
	testS3(t, storetest.NewS3TLS, "", 0)
}

func testS3(t *testing.T, newServer func(*testing.T) *storetest.Server, checksum string, large int64) {
	server := newServer(t)
	n, boundary := 0, int64(singleMax)
	if checksum != "" {
		boundary = minPart
	}
	storetest.Run(t, func(t *testing.T) archive.Store {
		n++
		server.Prefix = fmt.Sprintf("orders/node-1/%d/", n)
		a, err := parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		a.prefix = server.Prefix
		if checksum != "" {
			a.params["checksum"] = checksum
		}
		b, err := openS3(t.Context(), &a, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}, storetest.Options{
		Checksums: checksum == "", Boundary: boundary, Part: minPart, Large: large,
		Uploads: func(t *testing.T, _ archive.Store, key string) int { return server.Uploads(t, key) },
	})
}
