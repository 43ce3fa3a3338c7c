package providers

import (
	"fmt"
	"testing"

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
	n := 0
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
	testS3(t, storetest.NewS3)
}

func TestS3OverTLS(t *testing.T) {
	testS3(t, storetest.NewS3TLS)
}

func testS3(t *testing.T, newServer func(*testing.T) *storetest.Server) {
	server := newServer(t)
	n := 0
	storetest.Run(t, func(t *testing.T) archive.Store {
		n++
		server.Prefix = fmt.Sprintf("orders/node-1/%d/", n)
		a, err := parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		a.prefix = server.Prefix
		b, err := openS3(t.Context(), &a, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}, storetest.Options{
		Checksums: true, Boundary: singleMax, Part: minPart,
		Uploads: func(t *testing.T, _ archive.Store, key string) int { return server.Uploads(t, key) },
	})
}
