//go:build race

package protocol

// racing: the detector is on. It has nothing to find in a single goroutine.
const racing = true
