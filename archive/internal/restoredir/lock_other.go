//go:build !linux

package restoredir

import (
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// setLock sets a lock of this process: these systems have no lock of one open file. Within the process, the lock of the
// directory keeps a second restore away.
const setLock = unix.F_SETLK

// identify returns the attributes of a file. It opens no file: closing the marker would release its lock.
func identify(root *disk.Root, name string) (fs.FileInfo, error) { return root.Lstat(name) }
