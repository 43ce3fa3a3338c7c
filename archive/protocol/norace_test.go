//go:build !race

package protocol

// racing: the detector is on.
const racing = false
