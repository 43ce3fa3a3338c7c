package restoredir

import (
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// setLock sets a lock of one open file: it also keeps a second restore of the same process away, and closing another
// descriptor of the file does not release it.
const setLock = unix.F_OFD_SETLK

// identify returns the attributes of a file as they are now. A client of NFS remembers them, except when it opens a
// file.
func identify(root *disk.Root, name string) (fs.FileInfo, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}
