package gcs

import (
	"context"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// gocloud's conformance suite on a real server. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	server := storetest.NewGCS(t)
	d := driverOf(t, server.URL)
	drivertest.Run(t, func(*testing.T) drivertest.Subject {
		return drivertest.Subject{
			Driver: d, Missing: driverOf(t, strings.Replace(server.URL, server.Bucket, server.Bucket+"-gone", 1)),
			IgnoresPageSize: true, // fake-gcs-server does
			Put: func(ctx context.Context, key string, content []byte) error {
				w := server.Client.Bucket(server.Bucket).Object(key).NewWriter(ctx)
				if _, err := w.Write(content); err != nil {
					return err
				}
				return w.Close()
			},
			Delete: func(ctx context.Context, key string) error {
				return server.Client.Bucket(server.Bucket).Object(key).Delete(ctx)
			},
		}
	})
}

func driverOf(t *testing.T, url string) *bucketDriver {
	t.Helper()
	return &bucketDriver{cloud.Driver{Dialect: dialect}, open(t, url, cloud.Options{}).(*adapter)}
}
