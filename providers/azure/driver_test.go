package azure

import (
	"context"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// gocloud's conformance suite on a real server. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	d := driverOf(t, server.URL)
	drivertest.Run(t, func(*testing.T) drivertest.Subject {
		return drivertest.Subject{
			Driver: d, Missing: driverOf(t, strings.Replace(server.URL, server.Container, server.Container+"-gone", 1)),
			Put: func(ctx context.Context, key string, content []byte) error {
				_, err := server.Client.NewBlockBlobClient(key).UploadBuffer(ctx, content, nil)
				return err
			},
			Delete: func(ctx context.Context, key string) error {
				_, err := server.Client.NewBlobClient(key).Delete(ctx, nil)
				return err
			},
		}
	})
}

func driverOf(t *testing.T, url string) *bucketDriver {
	t.Helper()
	return &bucketDriver{cloud.Driver{Dialect: dialect}, open(t, url, cloud.Options{}).(*adapter).client}
}

// The size of an answer that does not state the object's is not known. It is not zero, and not the length of a part.
func TestAzureSizeOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		length *int64
		span   *string
		want   int64
	}{
		{nil, nil, -1},
		{to.Ptr[int64](4), nil, 4},
		{to.Ptr[int64](4), to.Ptr("bytes 4-7/10"), 10},
		{to.Ptr[int64](4), to.Ptr("bytes 4-7/*"), -1},
	} {
		if got := sizeOf(c.length, c.span); got != c.want {
			t.Errorf("%v, %q: %d, want %d", c.length, value(c.span), got, c.want)
		}
	}
}
