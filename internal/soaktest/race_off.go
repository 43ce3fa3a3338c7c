//go:build !race

package soaktest

// Racing reports whether the race detector is on, which makes all tests many times slower.
const Racing = false
