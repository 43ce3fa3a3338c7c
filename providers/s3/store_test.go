package s3

import (
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestS3(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "", twoPages)
}

// A bucket that keeps versions behaves like any other.
func TestS3WithVersions(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3Versions, "", 0)
}

// Services without CRC-32C give the other guarantees.
func TestS3WithMD5(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "md5", fewKeys)
}

func TestS3WithoutChecksums(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3, "none", fewKeys)
}

func TestS3OverTLS(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3TLS, "", fewKeys)
}

func testS3(t *testing.T, newServer func(*testing.T) *storetest.Server, checksum string, many int) {
	keepsVersions := strings.HasSuffix(t.Name(), "WithVersions")
	runSuite(t, newServer(t), checksum, storetest.Options{
		Many:        many,
		SameVersion: !keepsVersions, IgnoresVersions: !keepsVersions, ComparesVersions: true, // MinIO ignores the condition of a delete
	})
}

// runSuite runs the conformance suite on a server, with options that describe it.
func runSuite(t *testing.T, server *storetest.Server, checksum string, o storetest.Options) {
	n := 0
	o.Checksums, o.Boundary, o.Part = checksum == "", int64(cloud.SingleMax), minPart
	if checksum != "" {
		o.Boundary = minPart
	}
	o.Uploads = func(t *testing.T, s store.Store, key string) int {
		own := *server
		own.Prefix = s.(*adapter).Prefix
		return own.Uploads(t, key)
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return openWeak(t, server.URL, fmt.Sprintf("orders/node-1/%d/", n), checksum)
	}, o)
}

// openWeak opens an S3 archive at a prefix, with a parameter for the checksum.
func openWeak(t *testing.T, url, prefix, checksum string) *adapter {
	t.Helper()
	a, err := cloud.Parse(url, "s3", cloud.S3Parameters)
	if err != nil {
		t.Fatal(err)
	}
	a.Prefix = prefix
	if checksum != "" {
		a.Params["checksum"] = checksum
	}
	b, err := openAddress(t.Context(), &a, cloud.Options{}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*adapter)
}
