package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// Directory is a directory of log files. It keeps no file open and is safe for concurrent use.
// Each Capture reads the directory again.
type Directory struct {
	path   string
	layout Layout
	hooks  hooks
}

// hooks are the functions that tests replace.
type hooks struct {
	now    func() time.Time
	open   func(path string) (*os.File, error)
	budget func() int     // number of descriptors for one capture
	after  func(did step) // called after each step, so that a test can change the directory
}

// A step of a capture.
type step int

const (
	listed      step = iota // the directory was read
	pinned                  // the wanted files were opened
	listedAgain             // the directory was read again, and had not changed
)

// Open returns the directory at dir. The error wraps ErrMissing if dir does not exist or is no
// directory. If it is removed later, Capture reports that.
func Open(dir string, layout Layout) (*Directory, error) {
	if layout.name == "" {
		return nil, fmt.Errorf("source %s: no layout given", dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", dir, err)
	}
	d := &Directory{path: abs, layout: layout, hooks: hooks{
		now:    time.Now,
		open:   openFile,
		budget: descriptorBudget,
		after:  func(step) {},
	}}
	f, err := openDir(d.path)
	if err != nil {
		return nil, err
	}
	return d, f.Close()
}

// Layout returns the layout that the directory was opened with.
func (d *Directory) Layout() Layout { return d.layout }

// Path returns the absolute path of the directory.
func (d *Directory) Path() string { return d.path }

// at returns the file system path of a name below the directory.
func (d *Directory) at(name string) string {
	if name == "" {
		return d.path
	}
	return d.path + "/" + name
}

// openDir opens a directory for listing.
func openDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("source directory %s: as a directory %w (%w); give the directory of the log files",
			path, ErrMissing, bare(err))
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("source directory %s: %w (%w); is it mounted?", path, ErrMissing, bare(err))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("source directory %s: %w; permission to read and search it is needed", path, bare(err))
	}
	return nil, fmt.Errorf("source directory %s: %w", path, bare(err))
}

// openFile opens a log file for reading. It does not wait for a writer if a named pipe has replaced the file.
func openFile(path string) (*os.File, error) {
	return disk.OpenNoWait(path, os.O_RDONLY)
}

// bare returns an error without its path, for a message that has the path already.
func bare(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// isGone reports whether an error means that the name does not exist.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESTALE)
}
