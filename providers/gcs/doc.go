// Package gcs stores archives in buckets of Google Cloud Storage. Put sends the chunks of one object
// one after another, with a generation of 0 as the precondition and a CRC-32C. Reading and listing
// use the module cloud.google.com/go/storage: the driver of gocloud.dev would rename keys.
package gcs
