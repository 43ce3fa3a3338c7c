//go:build race

package storetest

// Racing reports whether the race detector is on, which makes everything many times slower.
const Racing = true

// LargeFile is the size of the large object, in bytes: what the race detector looks for
// does not depend on it.
const LargeFile = 64 << 20
