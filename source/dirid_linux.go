package source

import (
	"time"

	"golang.org/x/sys/unix"
)

// birth returns the identifier of an open directory's file system, and the time at which the
// directory was created, in ns since 1970. Unknown values are 0.
func birth(fd int) (fs uint64, born int64) {
	var sys unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &sys) }); err == nil {
		fs = uint64(uint32(sys.Fsid.Val[0]))<<32 | uint64(uint32(sys.Fsid.Val[1]))
	}
	var st unix.Statx_t
	err := retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st) })
	if err == nil && st.Mask&unix.STATX_BTIME != 0 {
		born = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UnixNano()
	}
	return fs, born
}
