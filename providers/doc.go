// Package providers opens the bucket behind an archive's URL.
//
//	bucket, err := providers.Open(ctx, "s3://backups/orders/node-1?region=eu-central-1", providers.Options{})
//	if err != nil {
//		return err // names what is wrong with the URL and what to write instead
//	}
//	defer bucket.Close()
//	a := archive.New(bucket, archive.Options{})
//
// The URLs, each served by a package of its own:
//
//	s3://bucket/prefix         providers/s3: S3, MinIO and compatible services
//	gs://bucket/prefix         providers/gcs: Google Cloud Storage
//	azblob://container/prefix  providers/azure: Azure Blob Storage
//	file:///absolute/path      providers/file: a directory; each object is a file of the same name below it
//	mem://name/prefix          providers/mem: the memory of this process, for tests and trials
//
// A program that imports only one of these packages links only that provider's SDK. Open is the
// one switch between them. The parameters of the URLs are in internal/cloud/parameters.go and in
// docs/providers.md.
//
// Credentials come from each SDK's standard chain (environment, shared files, workload
// identity) and never from a URL: one that holds any is refused. Redact makes a URL fit
// for messages.
//
// Each adapter has the provider's native Put: create-only, with a checksum that the provider
// compares with the promise. Reading and listing, where they can be shared, go through
// gocloud.dev/blob (internal/cloud/gocloud.go). Nothing is written through *blob.Bucket: its
// writers commit a truncated object when their source fails.
//
// A bucket may implement the optional interfaces of package store: all are
// store.SurroundingsLister; s3 is a store.Sweeper, a store.RetentionStore and a store.Waiver.
//
// Errors are *Error: they name the operation, the key, the Kind of failure and what to do. An
// object or a bucket that does not exist wraps fs.ErrNotExist; a bucket also wraps ErrNoBucket.
package providers
