package encoding

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNoSpace says that the scratch directory has not the space that a large object may
// take.
var ErrNoSpace = errors.New("not enough space for scratch files")

// scratch makes scratch files in one directory, no more at a time than there is space for.
type scratch struct {
	dir    string
	create func(dir string) (*os.File, error)
	free   func(dir string) (bytes int64, err error)

	mu       sync.Mutex
	open     int
	promised int64         // what open files may still write
	changed  chan struct{} // closed, and made anew, when space was given back
}

func newScratch(dir string) *scratch {
	return &scratch{dir: dir, create: createScratch, free: freeSpace, changed: make(chan struct{})}
}

// createScratch makes a file without a name, so that it is gone with the process,
// whatever becomes of that.
func createScratch(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".strongroom-scratch-*") // 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// file makes a scratch file that may grow to so many bytes. Where there is no space for
// it, it waits for other scratch files to be closed, if there are any.
func (s *scratch) file(ctx context.Context, bound int64) (*scratchFile, error) {
	if s.dir == "" {
		return nil, fmt.Errorf("%w: it may take %d bytes, more than is kept in memory, and no directory for scratch files is set; set one that is not on the database's disk", ErrNoSpace, bound)
	}
	for {
		later, err := s.take(bound)
		if err != nil {
			return nil, err
		}
		if later == nil {
			break
		}
		select {
		case <-later:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %d bytes of scratch space in %s: %w", bound, s.dir, context.Cause(ctx))
		}
	}
	f, err := s.create(s.dir)
	if err != nil {
		s.release(bound)
		return nil, fmt.Errorf("making a scratch file in %s: %w", s.dir, err)
	}
	return &scratchFile{file: f, s: s, left: bound}, nil
}

// OffDatabaseDisk is ErrNoSpace where no object may become too large for the memory, as scratch files
// would lie on the disk of the database.
func (e *Encoder) OffDatabaseDisk() error { return e.scratch.offDatabaseDisk(e.database, e.inMemory+1) }

// SameDisk reports whether two directories are known to lie on one file system.
func SameDisk(one, other string) bool {
	var a, b unix.Stat_t
	return unix.Stat(one, &a) == nil && unix.Stat(other, &b) == nil && a.Dev == b.Dev
}

// offDatabaseDisk refuses a scratch file that would take the space that a database needs.
func (s *scratch) offDatabaseDisk(database string, bound int64) error {
	if database == "" || s.dir == "" || !SameDisk(s.dir, database) {
		return nil
	}
	return fmt.Errorf("%w: it may take %d MiB, more than is kept in memory, and %s is on the disk of the database in %s; set a directory for scratch files (scratch_dir, or TMPDIR) on another disk, or this one, if there is room for both",
		ErrNoSpace, (bound+1<<20-1)>>20, s.dir, database)
}

// take promises space to a file, or returns what is closed when it is worth another try.
func (s *scratch) take(bound int64) (later <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, err := s.free(s.dir)
	// Not every file system tells; a full one is noticed when it is full.
	if err == nil && free-s.promised < bound {
		if s.open > 0 {
			return s.changed, nil
		}
		return nil, fmt.Errorf("%w: an object may take %d MiB, and %s has %d MiB free; free some, or set another directory for scratch files",
			ErrNoSpace, (bound+1<<20-1)>>20, s.dir, free>>20)
	}
	s.open++
	s.promised += bound
	return nil, nil
}

func (s *scratch) wrote(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised -= n
}

// release ends a file that will not use so many of its promised bytes.
func (s *scratch) release(left int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.promised -= left
	s.wake()
}

// wake has those who wait look again. The lock is held.
func (s *scratch) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// scratchFile is a body in a file without a name.
type scratchFile struct {
	file *os.File // not embedded: its WriteString and ReadFrom would pass Write by
	s    *scratch
	left int64 // what it may still write
}

func (f *scratchFile) Write(b []byte) (int, error) {
	if int64(len(b)) > f.left {
		return 0, errBound
	}
	n, err := f.file.Write(b)
	f.left -= int64(n)
	f.s.wrote(int64(n))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		err = fmt.Errorf("%w: %s is full, or a limit on files is reached; free some space, or set another directory for scratch files: %w", ErrNoSpace, f.s.dir, err)
	}
	return n, err
}

func (f *scratchFile) ReadAt(b []byte, offset int64) (int, error) { return f.file.ReadAt(b, offset) }

func (f *scratchFile) seal() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.promised -= f.left
	f.left = 0
	f.s.wake()
}

func (f *scratchFile) close() error {
	err := f.file.Close()
	f.s.release(f.left)
	return err
}
