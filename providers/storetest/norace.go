//go:build !race

package storetest

// Racing reports whether the race detector is on, which makes everything many times slower.
const Racing = false

// LargeFile is the size of the large object, in bytes.
const LargeFile = 1 << 30
