package restoredir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A fileID identifies a file whatever its path is: another process may see it under another one.
type fileID struct{ dev, ino uint64 }

func idOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}
}

// A sighting is a file as it was when its content was right. A file that still looks the same is right.
type sighting struct {
	id       fileID
	size     int64
	modified time.Time
}

func sightingOf(info fs.FileInfo) sighting { return sighting{idOf(info), info.Size(), info.ModTime()} }

func (s sighting) isSame(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && s.id == idOf(info) && s.size == info.Size() && s.modified.Equal(info.ModTime())
}

// writableByOthers are the permission bits with which another user can change a file or directory.
const writableByOthers = 0o022

// checkOwner returns ErrOccupied for a file or directory of a restore that another user owns or may write: that user
// could change what this restore relies on.
func (d *Dir) checkOwner(path string, info fs.FileInfo) error {
	return checkOwner(path, info, d.newOwner)
}

// checkOwner compares a file that fails the simple comparison with a new one, from makeNew: a file system may give each
// file the same owner and mode, or a server may change the owner of root's files.
func checkOwner(path string, info fs.FileInfo, makeNew func(isDir bool) (fs.FileInfo, error)) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	owner, others := os.Geteuid(), fs.FileMode(0)
	if int(st.Uid) == owner && info.Mode()&writableByOthers == others {
		return nil
	}
	if made, err := makeNew(info.IsDir()); err == nil {
		if now, ok := made.Sys().(*syscall.Stat_t); ok {
			owner, others = int(now.Uid), made.Mode()&writableByOthers
		}
	}
	switch {
	case int(st.Uid) != owner:
		return fmt.Errorf("%w: %s belongs to user %d, who could change it, and this restore runs as user %d; "+
			"restore as that user, or remove it", ErrOccupied, path, st.Uid, os.Geteuid())
	case info.Mode()&writableByOthers&^others != 0:
		return fmt.Errorf("%w: other users may write to %s (mode %04o); take that permission away, or remove it",
			ErrOccupied, path, info.Mode().Perm())
	}
	return nil
}

// newOwner returns the attributes of a new file or directory in the target, which it removes again. A dry run makes
// none.
func (d *Dir) newOwner(isDir bool) (info fs.FileInfo, err error) {
	if d.isPreview {
		return nil, errors.New("a dry run makes no file")
	}
	name := newTemp(".")
	if isDir {
		err = d.root.Mkdir(name, 0o700)
	} else {
		var f *disk.File
		if f, err = d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	info, err = d.root.Lstat(name)
	if removeErr := d.root.Remove(name); err == nil {
		err = removeErr
	}
	return info, err
}
