package disk

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func renameNew(from, to string) error { return renameNewAt(unix.AT_FDCWD, from, unix.AT_FDCWD, to) }

func renameNewAt(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
}

// changed returns the change time, which no program can set, in ns since 1970.
func changed(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }

func syncAll(fd int) error { return unix.Syncfs(fd) }

func availableBlocks(s *unix.Statfs_t) uint64 { return s.Bavail }

// blockSize is the unit of the numbers of blocks. Network file systems and FUSE report a larger Bsize, for transfers.
func blockSize(s *unix.Statfs_t) uint64 {
	if s.Frsize > 0 {
		return uint64(s.Frsize)
	}
	return uint64(max(0, s.Bsize))
}
