package source

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MinFree is the free space in bytes that the source's disk must have while a capture holds
// deleted files, which occupy space.
const MinFree = 256 << 20

// ErrDiskPressure means that a capture holds deleted log files whose space the database may need.
// Capturing again, without them, helps.
var ErrDiskPressure = errors.New("the source's disk is short of space, which deleted log files still occupy")

// CheckDiskPressure returns an error that wraps ErrDiskPressure if the capture holds deleted files
// on a disk with less than MinFree free. Closing the capture frees their space for the database.
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
				deleted = f.File
			}
		}
	}
	if deleted == nil {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(deleted.Fd()), &fs); err != nil {
		return nil // not every file system reports it
	}
	if fs.Blocks == 0 {
		return nil // nor does one that reports zeros, which is not a full one
	}
	if free := int64(fs.Bavail) * int64(fs.Bsize); free < MinFree {
		return fmt.Errorf("%w: %d bytes are free, and %d are occupied by files such as %s",
			ErrDiskPressure, free, bytes, deleted.Name())
	}
	return nil
}
