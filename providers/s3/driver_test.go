package s3

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// The size of an answer that does not state the object's is not known. It is not zero, and not the length of a part.
func TestS3SizeOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		length *int64
		span   *string
		from   int64
		size   int64
	}{
		{nil, nil, 0, -1},
		{aws.Int64(4), nil, 0, 4},
		{aws.Int64(4), aws.String("bytes 4-7/10"), 4, 10},
		{aws.Int64(4), aws.String("bytes 4-7/*"), 4, -1},
	} {
		from, size := rangeOf(&s3.GetObjectOutput{ContentLength: c.length, ContentRange: c.span})
		if from != c.from || size != c.size {
			t.Errorf("%v, %q: %d, %d", c.length, aws.ToString(c.span), from, size)
		}
	}
}
