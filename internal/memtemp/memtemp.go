// Package memtemp puts the temporary files of tests into memory: tests sync many small files, which takes a
// hundredth of the time there.
package memtemp

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// enough is the free space that the tests' files need, in bytes.
const enough = 6 << 30

// Use sets TMPDIR to a file system in memory, for this process and those that it starts. It does nothing if TMPDIR
// is set, or if there is no such file system with enough free space and enough free memory. It must be called before
// the first test.
func Use() { use("/dev/shm", "/proc/meminfo", enough) }

// use is Use with a directory in memory, the file with the free memory, and the least number of bytes that must be
// free in both.
func use(dir, meminfo string, least uint64) {
	var s syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(dir, &s) != nil || uint64(s.Bavail)*uint64(s.Bsize) < least {
		return
	}
	if available(meminfo) < least { // the size of the file system is only a limit
		return
	}
	try, err := os.MkdirTemp(dir, "strongroom-")
	if err != nil {
		return
	}
	_ = os.Remove(try)
	os.Setenv("TMPDIR", dir)
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
