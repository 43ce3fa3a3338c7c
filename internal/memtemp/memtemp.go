// Package memtemp puts the temporary files of tests into memory: tests sync many small files, which takes a
// hundredth of the time there.
package memtemp

import (
	"os"
	"syscall"
)

// enough is the free space that the tests' files need, in bytes.
const enough = 6 << 30

// Use sets TMPDIR to a file system in memory, for this process and those that it starts. It does nothing if TMPDIR
// is set, or if there is no such file system with enough free space. It must be called before the first test.
func Use() {
	const dir = "/dev/shm"
	var s syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(dir, &s) != nil || uint64(s.Bavail)*uint64(s.Bsize) < enough {
		return
	}
	os.Setenv("TMPDIR", dir)
}
