// Package gcs stores archives in buckets of Google Cloud Storage. Put sends the chunks of one object
// one after another, with a generation of 0 as the precondition and a CRC-32C. Reading and listing use a driver
// for gocloud.dev on Google's modules.
package gcs
