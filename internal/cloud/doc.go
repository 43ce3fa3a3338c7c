// Package cloud is what the packages of all providers have in common: URLs, errors and their kinds,
// retries, bandwidth, counters, and reading through gocloud.dev/blob. It imports no SDK.
package cloud
