// Package providers opens the bucket behind an archive's URL.
//
//	bucket, err := providers.Open(ctx, "s3://backups/orders/node-1?region=eu-central-1", providers.Options{})
//	if err != nil {
//		return err // says what is wrong with the URL and what to write instead
//	}
//	defer bucket.Close()
//	a := archive.New(bucket, archive.Options{})
//
// The URLs:
//
//	s3://bucket/prefix         S3, MinIO and whatever speaks their language; parameters see s3Parameters
//	gs://bucket/prefix         Google Cloud Storage; parameters see gcsParameters
//	azblob://container/prefix  Azure Blob Storage; parameters see azureParameters
//	file:///absolute/path      a directory; each object is a file of the same name below it
//	mem://name/prefix          in the memory of this process, for tests and trials
//
// Credentials come from each SDK's standard chain (environment, shared files, workload
// identity) and never from a URL: one that holds any is refused. Redact makes a URL fit
// for messages.
//
// Each adapter is one file with the provider's native Put: create-only, with a checksum
// that the provider verifies against the promise. What can be shared, reading and
// listing, goes through gocloud.dev/blob in portable.go (azure.go and gcs.go use their
// SDKs for all of it, as gocloud's drivers for them would rename keys). Nothing is
// written through *blob.Bucket: its writers commit a truncated object when their source
// fails.
//
// A store may have more than store.Store asks for: each is store.SurroundingsLister; s3 is an
// store.Sweeper, an store.RetentionStore and an store.Waiver. Where an S3 bucket keeps versions, the oldest version of a key is the object. docs/providers.md has the
// settings by provider, and what they cost.
//
// Errors are *Error: they say what was being done, to what, which Kind of failure it is
// and what to do about it. What does not exist, be it the object or the bucket, wraps
// fs.ErrNotExist; ErrNoBucket tells the bucket from the object.
package providers
