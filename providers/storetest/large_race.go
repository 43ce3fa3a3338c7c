//go:build race

package storetest

// LargeFile is the size of the large object, in bytes. The race detector makes
// everything many times slower, and what it looks for does not depend on the size.
const LargeFile = 64 << 20
