package disk

import (
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

// Free returns the bytes that a user without privileges may still write to the file system of a path. isKnown is false
// if the file system does not report them: some report zeros for all of their figures, and would seem full.
func Free(path string) (bytes int64, isKnown bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, false
	}
	return freeBytes(uint64(s.Blocks), availableBlocks(&s), blockSize(&s))
}

func freeBytes(blocks, available, size uint64) (bytes int64, isKnown bool) {
	if blocks == 0 || size == 0 {
		return 0, false
	}
	high, low := bits.Mul64(available, size)
	if high > 0 || low > math.MaxInt64 { // file systems without a limit of their own report as much as they can
		return math.MaxInt64, true
	}
	return int64(low), true
}
