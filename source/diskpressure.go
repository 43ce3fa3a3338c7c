package source

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MinFree is how much free space the disk of the source must have, in bytes, for a
// capture to go on holding deleted files that take some of it.
const MinFree = 256 << 20

// ErrDiskPressure is what Crowded wraps: a capture holds deleted log files whose space the database may need.
// Capturing again, without them, helps.
var ErrDiskPressure = errors.New("the source's disk is short of space that deleted log files take")

// CheckDiskPressure asks whether the capture should be given up for the database's sake: it wraps
// ErrDiskPressure when files that were deleted since, and live on only in the capture's
// descriptors, lie on a disk that has less than MinFree left. Closing the capture gives
// their space back.
func (c *Capture) CheckDiskPressure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var bytes int64
	var deleted *os.File
	for i := range c.held {
		if f := c.held[i].pin; f != nil {
			var st unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &st); err == nil && st.Nlink == 0 {
				bytes += st.Blocks * 512
				deleted = f
			}
		}
	}
	if deleted == nil {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(deleted.Fd()), &fs); err != nil {
		return nil // not every file system tells
	}
	if free := int64(fs.Bavail) * int64(fs.Bsize); free < MinFree {
		return fmt.Errorf("%w: %d bytes are free, and %d are held by files such as %s", ErrDiskPressure, free, bytes, deleted.Name())
	}
	return nil
}
