// Package cloud has the code that the packages of all providers share: URLs, errors and their kinds,
// retries, bandwidth, counters, and reading through gocloud.dev/blob. It imports no SDK.
package cloud
