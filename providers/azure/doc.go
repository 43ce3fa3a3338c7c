// Package azure stores archives in containers of Azure Blob Storage. Put stages blocks with an MD5 each
// and commits them with If-None-Match. Reading and listing use a driver for gocloud.dev on the SDK's client.
package azure
