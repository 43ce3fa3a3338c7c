package restoredir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// noteComplete moves the marker out of a new directory to a file beside it. Without that file, a restore that is
// interrupted before the directory has its name would leave a complete set that is not recognized as one of a restore.
// That only prevents a later restore of a newer snapshot, so it is no reason to fail: if another file is in the way, or
// the name is too long, the marker is removed.
func (d *Dir) noteComplete() error {
	_, err := readComplete(d.dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = disk.RenameOver(filepath.Join(d.work, IncompleteMarker), d.dir+CompleteSuffix)
	}
	if err != nil {
		return d.root.Remove(IncompleteMarker)
	}
	return syncAbove(d.dir)
}

// openComplete opens and locks the file that noteComplete has made: until the directory has its name, its restore holds
// the lock. Without such a file, or with one that another user owns or may write, d.begun stays nil.
func (d *Dir) openComplete() error {
	name := d.dir + CompleteSuffix
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || d.checkOwner(name, info) != nil {
		return nil
	}
	if _, err := readComplete(d.dir); err != nil {
		return nil
	}
	flag := os.O_RDWR
	if d.isPreview {
		flag = os.O_RDONLY
	}
	if d.begun, err = disk.OpenFile(name, flag|unix.O_NOFOLLOW, 0); err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	return d.lockBegun()
}

// readComplete reads the file that noteComplete has made. It returns an error if there is none, or another file.
func readComplete(dir string) ([]byte, error) {
	name := dir + CompleteSuffix
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMarker {
		return nil, fmt.Errorf("%s is no marker of a restore", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if _, ok := parseMarker(b); !ok {
		return nil, fmt.Errorf("%s is no marker of a restore", name)
	}
	return b, nil
}

// forgetComplete removes the file that noteComplete has made, once the directory has its name, unless another restore
// that makes such a directory may still need it. If the removal fails, the file stays: it means nothing beside a
// directory that has its name.
func forgetComplete(dir string) {
	if _, err := os.Lstat(dir + PartialSuffix); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := readComplete(dir); err == nil {
		disk.RemoveName(dir + CompleteSuffix)
	}
}
