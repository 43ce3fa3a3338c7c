package providers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// open opens a URL for a test.
func open(t *testing.T, url string, o cloud.Options) cloud.Bucket {
	t.Helper()
	b, err := Open(t.Context(), url, o)
	return storetest.Opened(t, b, err)
}

// Each service receives a large object in parts, returns it, and a second Put finds it.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) store.Store{
		"file":        func(t *testing.T) store.Store { return open(t, "file://"+t.TempDir()+"/archive", cloud.Options{}) },
		"S3":          func(t *testing.T) store.Store { return open(t, storetest.S3(t), cloud.Options{}) },
		"S3 over TLS": func(t *testing.T) store.Store { return open(t, storetest.NewS3TLS(t).URL, cloud.Options{}) },
		"S3 with MD5": func(t *testing.T) store.Store { return open(t, storetest.S3(t)+"&checksum=md5", cloud.Options{}) },
		"Azure":       func(t *testing.T) store.Store { return open(t, storetest.Azure(t), cloud.Options{}) },
		"GCS":         func(t *testing.T) store.Store { return open(t, storetest.GCS(t), cloud.Options{}) },
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // ends once the tests of all stores have ended
			for name, fresh := range stores {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					storetest.Large(t, fresh(t), storetest.Options{Checksums: strings.HasPrefix(name, "S3") && name != "S3 with MD5" || name == "GCS"})
				})
			}
		})
	})
}
