// Package providers opens the bucket behind an archive's URL.
//
//	bucket, err := providers.Open(ctx, "s3://backups/orders/node-1?region=eu-central-1", providers.Options{})
//	if err != nil {
//		return err // states the fault of the URL and what to write instead
//	}
//	defer bucket.Close()
//	a := archive.New(bucket, archive.Options{})
//
// Each kind of URL has a package of its own:
//
//	s3://bucket/prefix         providers/s3: S3, MinIO and compatible services
//	gs://bucket/prefix         providers/gcs: Google Cloud Storage
//	azblob://container/prefix  providers/azure: Azure Blob Storage
//	file:///absolute/path      providers/file: a directory; each object is a file of the same name below it
//	mem://name/prefix          providers/mem: the memory of this process, for tests and experiments
//
// A program that imports only one of these packages links only that provider's SDK. Open selects the
// package by the URL's scheme. The parameters of the URLs are in internal/cloud/parameters.go and in
// docs/providers.md.
//
// Credentials come from each SDK's standard chain (environment, shared files, workload identity) and
// never from a URL: Open refuses a URL with credentials. Redact makes a URL fit for messages.
//
// FromBucket takes any other bucket of gocloud.dev/blob, with weaker promises: providers/portable.
//
// Each adapter of a URL uses the provider's native Put: create-only, with a checksum that the provider compares. All
// read and list through gocloud.dev/blob (internal/cloud/bucket.go). Only providers/portable writes through
// *blob.Bucket, whose writers may commit a truncated object if their source fails: it cancels them before, and reads
// each object back.
//
// A provider is a package with its own Open and Put, a cloud.Dialect that reads its errors, faultprobe.go for the trials
// of store/storecheck (what the service does with a wrong checksum, and with an object that exists), and
// surroundings.go, which lists the places around an archive so that no archive is begun within another. It needs an
// entry in the switch of Open, its parameters in internal/cloud/parameters.go and in internal/redact, and storetest.Run
// in its tests.
//
// A bucket may implement the optional interfaces of package store: that of FromBucket is a store.Unproven; all others
// are store.SurroundingsLister; file is a store.BlockFinder, a store.CreationTester and a store.Local; s3 is a
// store.Sweeper, a store.RetentionStore and a store.Waiver.
//
// Errors are *Error: they name the operation, the key, the Kind of failure and what to do. The error for a
// missing object or bucket wraps fs.ErrNotExist; that for a missing bucket also wraps ErrNoBucket.
package providers
