package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// All opens in this package return at once if something else than a file has the name: open(2) waits for the other end
// of a named pipe, perhaps for ever, and no signal ends that.

// openNoWait opens a file by open, which gets more flags. O_NONBLOCK has no effect on reads and writes of a regular file,
// but open(2) refuses to wait for another program that gives back a lease on it (fcntl(2), "Leases"), such as a file
// server. stat describes the file; only a regular one is waited for.
func openNoWait(open func(more int) (*os.File, error), stat func() (fs.FileInfo, error)) (*os.File, error) {
	f, err := open(unix.O_NONBLOCK)
	if !errors.Is(err, unix.EAGAIN) {
		return f, err
	}
	if info, statErr := stat(); statErr != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	return open(0)
}

// openPath is os.OpenFile by openNoWait.
func openPath(path string, flag int, mode os.FileMode) (*os.File, error) {
	return openNoWait(func(more int) (*os.File, error) { return os.OpenFile(path, flag|more, mode) },
		func() (fs.FileInfo, error) { return os.Stat(path) })
}

// OpenNoWait opens a file to read or lock it, without an Observer. It does not wait for the other end of a named pipe.
func OpenNoWait(path string, flag int) (*os.File, error) { return openPath(path, flag, 0) }

// openRoot opens a directory by open, which is an OpenRoot. The name with "/." can only be a directory's.
func openRoot(open func(string) (*os.Root, error), dir string) (*os.Root, error) {
	root, err := open(filepath.Clean(dir) + "/.")
	if failed, is := errors.AsType[*fs.PathError](err); is {
		failed.Path = dir
	}
	return root, err
}
