//go:build !race

package storetest

// defaultLarge is the size of the large object, in bytes.
const defaultLarge = 1 << 30
