package source

import (
	"os"

	"golang.org/x/sys/unix"
)

// DirID is what a file system reports of a directory that tells it from another directory of
// the same name, such as the mount point of a disk that is not mounted. It stays the same
// across restarts. The zero DirID is that of a directory of which nothing is known.
type DirID struct {
	FS    uint64 `json:"fs,omitempty"`   // identifier of the file system; 0: it has none
	Inode uint64 `json:"inode"`          // some network file systems give a new one at each mount
	Born  int64  `json:"born,omitempty"` // when the directory was made, in ns since 1970; 0: not known
}

// Same reports whether both are certainly of one directory. Inode numbers alone do not show
// that: the roots of many file systems have the same one.
func (a DirID) Same(b DirID) bool {
	return a == b && a.Inode != 0 && (a.FS != 0 || a.Born != 0)
}

// Differs reports whether the two are of different directories, as far as they can be
// compared. The identifier of a file system counts only where no time of birth is known: it
// may depend on the order in which a host finds its disks.
func (a DirID) Differs(b DirID) bool {
	switch {
	case a.Inode == 0 || b.Inode == 0:
		return false
	case a.Inode != b.Inode:
		return true
	case a.Born != 0 && b.Born != 0:
		return a.Born != b.Born
	}
	return a.FS != 0 && b.FS != 0 && a.FS != b.FS
}

// identifyDir reads the DirID of an open directory. What the file system does not report
// stays zero: no backup depends on it.
func identifyDir(f *os.File) DirID {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return DirID{}
	}
	id := DirID{Inode: st.Ino}
	id.FS, id.Born = birth(int(f.Fd()))
	return id
}
