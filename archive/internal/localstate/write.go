package localstate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// write replaces a file of the local state as a whole. It returns an error for more than most bytes, which a read would
// refuse.
func (s *State) write(name string, b []byte, most int) error { return s.writeAll(name, most, b) }

// writeAll is write for content in several pieces.
func (s *State) writeAll(name string, most int, pieces ...[]byte) error {
	size := 0
	for _, b := range pieces {
		size += len(b)
	}
	if size > most {
		return fmt.Errorf("writing the local state: %s would have %d bytes, and %d are allowed: %w",
			name, size, most, disk.ErrTooLarge)
	}
	return change(name, func() error { return s.replace(name, pieces...) })
}

func (s *State) replace(name string, pieces ...[]byte) error {
	if err := disk.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of the local state: %w", err)
	}
	root, err := disk.OpenRoot(s.Dir)
	if err != nil {
		return fmt.Errorf("opening the directory of the local state: %w", err)
	}
	defer root.Close()
	if isSweepDue(s.Dir) {
		sweep(root)
	}
	if err := replaceFile(root, s.Dir, filepath.Base(name), pieces); err != nil {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return nil
}

// replaceFile writes a file in a directory as a whole and makes it durable. After a power loss there is the old file or
// the new one: half a file would cost what this host remembers, and an old one may report what a repair has put right
// since.
func replaceFile(root *disk.Root, dir, name string, pieces [][]byte) error {
	temp := tempPrefix + strings.ToLower(rand.Text()[:12])
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	giveToOwner(f, dir)
	for _, b := range pieces {
		if err == nil {
			_, err = f.Write(b)
		}
	}
	if err == nil {
		err = syncFile(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp) // a later write removes it where this fails
		return err
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(syncFile(d), d.Close())
}

// giveToOwner gives a new file to the owner of its directory: root may restore with the state directory of a service,
// whose user must be able to read the file later. Where root may not do that, such as on NFS, the file stays root's,
// and the service reports that it cannot read it.
func giveToOwner(f *disk.File, dir string) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(dir)
	if err != nil {
		return
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

// syncFile makes a file or directory of the local state durable, unless its file system has no fsync.
func syncFile(f *disk.File) error {
	if err := f.Sync(); err != nil && !disk.CannotSync(err) {
		return err
	}
	return nil
}

const (
	tempPrefix = ".witness-"
	tempAge    = time.Hour // no process takes that long to write a small file
)

// swept has the time of the last sweep of each directory by this process.
var swept sync.Map

// isSweepDue reports whether a directory was not swept for as long as a temporary file may stay. The directory of a
// service with thousands of archives has tens of thousands of files, which not every write may list.
func isSweepDue(dir string) bool {
	now := time.Now()
	last, isKnown := swept.LoadOrStore(dir, now)
	return !isKnown || now.Sub(last.(time.Time)) > tempAge && swept.CompareAndSwap(dir, last, now)
}

// sweep removes the temporary files of processes that were killed while they wrote.
func sweep(root *disk.Root) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return // the files that stay are small, and harm nothing
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > tempAge {
			_ = root.Remove(e.Name()) // as above
		}
	}
}
