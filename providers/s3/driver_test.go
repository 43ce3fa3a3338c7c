package s3

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// gocloud's conformance suite on a real server. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3(t)
	d := driverOf(t, server.URL)
	drivertest.Run(t, func(*testing.T) drivertest.Subject {
		return drivertest.Subject{
			Driver: d, Missing: driverOf(t, strings.Replace(server.URL, server.Bucket, server.Bucket+"-gone", 1)),
			EndsEmpty: true, // MinIO does
			Put: func(ctx context.Context, key string, content []byte) error {
				_, err := server.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &server.Bucket, Key: &key, Body: bytes.NewReader(content)})
				return err
			},
			Delete: func(ctx context.Context, key string) error {
				_, err := server.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &server.Bucket, Key: &key})
				return err
			},
		}
	})
}

func driverOf(t *testing.T, url string) *bucketDriver {
	t.Helper()
	return &bucketDriver{cloud.Driver{Dialect: dialect}, open(t, url, cloud.Options{}).(*adapter)}
}
