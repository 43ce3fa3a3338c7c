package providers_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Open a bucket and check whether it has an archive. The code is the same for each provider's URL.
func ExampleOpen() {
	ctx := context.Background()
	bucket, err := providers.Open(ctx, "mem://example/orders", cloud.Options{})
	if err != nil {
		log.Fatal(err) // the error states the fault of the URL and what to write instead
	}
	defer bucket.Close()

	_, err = bucket.Stat(ctx, manifest.ArchiveKey)
	fmt.Println("archive.json is missing:", errors.Is(err, fs.ErrNotExist))

	_, err = archive.New(bucket, archive.Options{}).Snapshot(ctx, archive.Selector{})
	fmt.Println("there is no archive:", errors.Is(err, archive.ErrNoArchive))

	_, err = providers.Open(ctx, "s3://KEY:SECRET@backups/orders", cloud.Options{})
	fmt.Println("credentials in a URL are refused:", err != nil)
	// Output:
	// archive.json is missing: true
	// there is no archive: true
	// credentials in a URL are refused: true
}

// Keep an archive in a bucket of gocloud.dev, below a prefix. The first backup tests the bucket. A program can test it
// before, and show what it lacks.
func ExampleFromBucket() {
	ctx := context.Background()
	b := blob.PrefixedBucket(memblob.OpenBucket(nil), "orders/node-1/")
	defer b.Close()
	bucket, err := providers.FromBucket(b, providers.BucketOptions{Name: "orders"})
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()

	err = storecheck.Probe(ctx, bucket, func(f storecheck.Finding) {
		if f.Result == storecheck.Failed || f.Probe == "conditional delete" {
			fmt.Printf("%s: %s: %s\n", f.Result, f.Probe, f.Detail)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// note: conditional delete: the store returns no versions, so a delete has no condition: the guarantee conditional-delete is missing
}
