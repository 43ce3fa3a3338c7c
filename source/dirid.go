package source

import (
	"os"

	"golang.org/x/sys/unix"
)

// DirID identifies a directory, or a file. It distinguishes two directories with the same path, such as a
// disk and the mount point where it is not mounted. It stays the same across restarts. The zero
// DirID means that it was not identified.
type DirID struct {
	FS    uint64 `json:"fs,omitempty"`   // identifier of the file system; 0 if it has none
	Inode uint64 `json:"inode"`          // some network file systems have a new one after each mount
	Born  int64  `json:"born,omitempty"` // when it was created, in ns since 1970; 0 if unknown
}

// Same reports whether both are certainly the same directory or file. Equal inode numbers are not enough:
// the roots of many file systems have the same one.
func (a DirID) Same(b DirID) bool {
	return a == b && a.Inode != 0 && (a.FS != 0 || a.Born != 0)
}

// Differs reports whether both are certainly different directories or files. It compares the identifiers of
// the file systems only if a creation time is unknown, since an identifier may depend on the order
// in which a host detects its disks.
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

// identifyDir returns the DirID of an open directory or file. Values that the file system does not report
// are zero; no backup depends on them.
func identifyDir(f *os.File) DirID {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return DirID{}
	}
	id := DirID{Inode: st.Ino}
	id.FS, id.Born = birth(int(f.Fd()))
	return id
}
