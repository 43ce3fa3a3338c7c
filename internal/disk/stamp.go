package disk

import (
	"fmt"
	"io/fs"
	"syscall"
)

// Stamp identifies a file and its state. It changes if the file is written, or if another file gets its name: a
// file system may give a new file the number of a deleted one, but not its change time. Two writes within one tick
// of the file system's clock, of a few milliseconds, may have the same Stamp. On systems other than Linux it lacks the
// change time.
func Stamp(fi fs.FileInfo) string {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Sprintf("%x-%x", fi.Size(), fi.ModTime().UnixNano())
	}
	return fmt.Sprintf("%x-%x-%x-%x", st.Ino, fi.Size(), fi.ModTime().UnixNano(), changed(st))
}
