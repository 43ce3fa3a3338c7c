package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// enough is the free space that the servers need in memory, in bytes, with room for the files of the tests.
const enough = 12 << 30

// newDirectory makes a directory for the servers' data: in memory if memory is not empty and the directory can be made
// there, and otherwise in the usual place.
func newDirectory(memory string) (string, error) {
	const pattern = "strongroom-servers-"
	if memory != "" {
		if dir, err := os.MkdirTemp(memory, pattern); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", pattern)
}

// memory returns dir, a directory in memory, where the servers' many small files cost less. It is empty if TMPDIR is
// set, or if dir or the memory itself has fewer than least bytes free: the size of dir is only a limit. The file
// meminfo has the free memory.
func memory(dir, meminfo string, least uint64) string {
	var s syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(dir, &s) != nil || uint64(s.Bavail)*uint64(s.Bsize) < least {
		return ""
	}
	if available(meminfo) < least {
		return ""
	}
	return dir
}

// available returns the memory, in bytes, that programs can have before others are swapped out; 0 if that is unknown.
func available(meminfo string) uint64 {
	b, _ := os.ReadFile(meminfo) // other systems than Linux have no such file
	for line := range strings.Lines(string(b)) {
		var kib uint64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
