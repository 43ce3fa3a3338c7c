//go:build !race

package storetest

// LargeFile is the size of the large object, in bytes.
const LargeFile = 1 << 30
