package providers

import (
	"context"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/providers/azure"
	"github.com/strongroom-dev/strongroom/providers/file"
	"github.com/strongroom-dev/strongroom/providers/gcs"
	"github.com/strongroom-dev/strongroom/providers/mem"
	"github.com/strongroom-dev/strongroom/providers/s3"
)

// Open opens the bucket of an archive's URL. It sends no request: the first operation reports a bucket that
// is missing or cannot be reached. ctx is for reading local configuration only.
func Open(ctx context.Context, rawURL string, opts cloud.Options) (cloud.Bucket, error) {
	scheme, err := cloud.SchemeOf(rawURL)
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "mem":
		return mem.Open(ctx, rawURL, opts)
	case "file":
		return file.Open(ctx, rawURL, opts)
	case "s3":
		return s3.Open(ctx, rawURL, opts)
	case "azblob":
		return azure.Open(ctx, rawURL, opts)
	default:
		return gcs.Open(ctx, rawURL, opts)
	}
}
