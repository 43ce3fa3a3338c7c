package localstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// ErrUnread means that a file of the local state may exist and cannot be read. An operation that depends on it must not
// continue as if there were none: a working disk may show that the archive was replaced.
var ErrUnread = errors.New("what this host remembers of the archive cannot be read")

const (
	// readLimit and writeLimit are the times after which the disk counts as hanging. A write syncs.
	readLimit  = 10 * time.Second
	writeLimit = 30 * time.Second
)

// The sizes that files may have, in bytes. Neither a write nor a read exceeds them.
const (
	maxWriterBytes = 4 << 10
	maxPlaceBytes  = 64 << 10 // a URL has at most 4 KiB
	maxRateBytes   = 64 << 10
	maxSourceBytes = 4 << 20  // a source has at most hundreds of directories
	maxPinBytes    = 16 << 20 // anomalies stay until they are repaired
	maxProofBytes  = 64 << 20
	maxSealedBytes = 64 << 20
	maxStampBytes  = 512 << 20 // of 13 million source files
	maxTriedBytes  = 64 << 10  // appendLine begins the file again before that
)

// read returns the content of a file, with at most most bytes. Other errors than fs.ErrNotExist are ErrUnread, unless
// the file is too large to be one of the local state.
func (s *State) read(name string, most int64) ([]byte, error) {
	b, err := disk.Within(context.Background(), name, readLimit, func() ([]byte, error) {
		b, err := disk.ReadRegular(name, most)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			missing := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			err = cmp.Or[error](dangling(name), s.noDirectory(), missing)
		}
		return b, err
	})
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, disk.ErrTooLarge):
		return b, err
	}
	const advice = "repair that, or use another directory for the local state"
	return nil, fmt.Errorf("%w: %w; %s", ErrUnread, err, advice)
}

// dangling returns an error if a name is a symbolic link to nothing, such as to a disk that is not mounted.
func dangling(name string) error {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	return fmt.Errorf("%s is a symbolic link to nothing; is a disk not mounted?", name)
}

// noDirectory returns an error if something else has the name of the directory, such as a file or a named pipe, or if a
// link on its path leads to nothing. Where one of the directories above it is no directory, it is missing: no file of the
// local state can ever have been there.
func (s *State) noDirectory() error {
	if info, err := os.Stat(s.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is %s, and the directory of the local state belongs there", s.Dir, disk.KindOf(info.Mode()))
	}
	for dir := filepath.Clean(s.Dir); ; dir = filepath.Dir(dir) {
		if err := dangling(dir); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// change calls do, which changes a file, and returns at the latest after the time that a write may take.
func change(name string, do func() error) error {
	_, err := disk.Within(context.Background(), name, writeLimit, func() (struct{}, error) { return struct{}{}, do() })
	if errors.Is(err, disk.ErrHangs) {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return err
}

// unusable returns the error of a file that cannot be read, or that has not what was written.
func unusable(name string, err error) error {
	if errors.Is(err, ErrUnread) {
		return fmt.Errorf("reading the local state: %w", err)
	}
	if errors.Is(err, disk.ErrTooLarge) {
		return fmt.Errorf("reading the local state: strongroom writes no such file; delete it: %w", err)
	}
	return fmt.Errorf("reading the local state %s (deleting it loses nothing): %w", name, err)
}
