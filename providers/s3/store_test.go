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
	testS3(t, storetest.NewS3, "", 0)
}

// A bucket that keeps versions behaves like any other.
func TestS3WithVersions(t *testing.T) {
	t.Parallel()
	testS3(t, storetest.NewS3Versions, "", twoPages)
}

// Services without CRC-32C give the other guarantees.
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
	n, boundary := 0, int64(cloud.SingleMax)
	keepsVersions := strings.HasSuffix(t.Name(), "WithVersions")
	if checksum != "" {
		boundary = minPart
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return openWeak(t, server.URL, fmt.Sprintf("orders/node-1/%d/", n), checksum)
	}, storetest.Options{
		Checksums: checksum == "", Boundary: boundary, Part: minPart, Many: many,
		SameVersion: !keepsVersions, IgnoresVersions: !keepsVersions, ComparesVersions: true, // MinIO ignores the condition of a delete
		Uploads: func(t *testing.T, s store.Store, key string) int {
			own := *server
			own.Prefix = s.(*adapter).Prefix
			return own.Uploads(t, key)
		},
	})
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
