// Package s3 stores archives in buckets of Amazon S3, MinIO and compatible services. Put sends one
// request or a multipart upload, create-only and with a full-object CRC-32C. Where a bucket keeps
// versions, the oldest version of a key is the object.
package s3
