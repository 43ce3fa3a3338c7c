package providers

import (
	"context"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/providers/azure"
	"github.com/strongroom-dev/strongroom/providers/file"
	"github.com/strongroom-dev/strongroom/providers/gcs"
	"github.com/strongroom-dev/strongroom/providers/mem"
	"github.com/strongroom-dev/strongroom/providers/portable"
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

// LocalDir returns the directory that the archive of a file:// URL is in; empty for any other URL, and for a malformed
// one, which Open reports.
func LocalDir(rawURL string) string {
	a, err := cloud.Parse(rawURL, "file", nil)
	if err != nil {
		return ""
	}
	return a.Dir
}

// FromBucket returns the store of an archive in any bucket of gocloud.dev/blob. Prefer Open where the service has a URL:
// its promises are stronger. For an archive below a prefix, pass a blob.PrefixedBucket. FromBucket sends no request.
// Close of the result does not close b.
//
// The archive itself tests such a store before its first snapshot, with storecheck.Probe, and refuses it with
// store.ErrWeakStore if a trial fails: fileblob does not pass. Package portable states what such a store promises. It
// lacks store.ConditionalDelete, so two repairs of an archive must never run at once.
func FromBucket(b *blob.Bucket, o BucketOptions) (Bucket, error) { return portable.New(b, o) }
