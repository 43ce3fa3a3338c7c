package disk

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func renameNew(from, to string) error { return renameNewAt(unix.AT_FDCWD, from, unix.AT_FDCWD, to) }

func renameNewAt(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
}

// setTime sets the times of an open file. Linux has that since 5.8; older kernels return EINVAL.
func setTime(fd int, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(fd, "", []unix.Timespec{ts, ts}, unix.AT_EMPTY_PATH)
}

// changed returns the change time, which no program can set, in ns since 1970.
func changed(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }

// canSyncAll reports whether syncfs reports failed writes: since Linux 5.8 (syncfs(2)), and only on file systems that
// write to a disk of this machine. FUSE may do nothing, and network file systems have rules of their own. Before Linux
// 5.17, syncfs does not report that the file system could not store its journal. These file systems then refuse each
// later change, so the next rename or sync of a directory fails.
func canSyncAll(fd int) bool {
	var s unix.Statfs_t
	if unix.Fstatfs(fd, &s) != nil {
		return false
	}
	switch int64(s.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		return isKernel(5, 8)
	}
	return false
}

// isKernel reports whether the kernel has this version or a later one.
func isKernel(major, minor int) bool {
	var name unix.Utsname
	var hasMajor, hasMinor int
	if unix.Uname(&name) != nil {
		return false
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &hasMajor, &hasMinor); n != 2 {
		return false
	}
	return hasMajor > major || hasMajor == major && hasMinor >= minor
}

func syncAll(fd int) error { return unix.Syncfs(fd) }

func availableBlocks(s *unix.Statfs_t) uint64 { return s.Bavail }

// blockSize is the unit of the numbers of blocks. Network file systems and FUSE report a larger Bsize, for transfers.
func blockSize(s *unix.Statfs_t) uint64 {
	if s.Frsize > 0 {
		return uint64(s.Frsize)
	}
	return uint64(max(0, s.Bsize))
}
