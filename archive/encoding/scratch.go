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

// ErrNoSpace reports that the scratch directory has too little space for a large object.
var ErrNoSpace = errors.New("not enough space for scratch files")

// scratch creates scratch files in one directory, and no more at a time than there is space for.
type scratch struct {
	dir    string
	create func(dir string) (*os.File, error)
	free   func(dir string) (bytes int64, err error)

	mu       sync.Mutex
	open     int
	promised int64         // the bytes that open files may still write
	changed  chan struct{} // closed and replaced when space was released
}

func newScratch(dir string) *scratch {
	return &scratch{dir: dir, create: createScratch, free: freeSpace, changed: make(chan struct{})}
}

// createScratch creates a file without a name, so that it disappears with the process, even after a crash.
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

// file creates a scratch file that may grow to bound bytes. If there is too little space, it waits for other scratch
// files to be closed, or returns ErrNoSpace if there are none.
func (s *scratch) file(ctx context.Context, bound int64) (*scratchFile, error) {
	if s.dir == "" {
		return nil, fmt.Errorf("%w: the object may need %d bytes, more than is kept in memory, and no directory for "+
			"scratch files is set; set one that is not on the database's disk", ErrNoSpace, bound)
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
		return nil, fmt.Errorf("creating a scratch file in %s: %w", s.dir, err)
	}
	return &scratchFile{file: f, s: s, left: bound}, nil
}

// OffDatabaseDisk returns ErrNoSpace if scratch files would be on the disk of the database. Encode would then fail for
// an object that is too large for memory.
func (e *Encoder) OffDatabaseDisk() error { return e.scratch.offDatabaseDisk(e.database, e.inMemory+1) }

// SameDisk reports whether two directories are on one file system; false if that is unknown.
func SameDisk(one, other string) bool {
	var a, b unix.Stat_t
	return unix.Stat(one, &a) == nil && unix.Stat(other, &b) == nil && a.Dev == b.Dev
}

// offDatabaseDisk returns ErrNoSpace for a scratch file that would use space on the database's disk.
func (s *scratch) offDatabaseDisk(database string, bound int64) error {
	if database == "" || s.dir == "" || !SameDisk(s.dir, database) {
		return nil
	}
	return fmt.Errorf("%w: the object may need %d MiB, more than is kept in memory, and %s is on the disk of the "+
		"database in %s; set a directory for scratch files (scratch_dir, or TMPDIR) on another disk, or set this "+
		"one explicitly if there is space for both",
		ErrNoSpace, (bound+1<<20-1)>>20, s.dir, database)
}

// take reserves space for a file. If there is too little, it returns a channel that is closed when space was released.
func (s *scratch) take(bound int64) (later <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, err := s.free(s.dir)
	// Not every file system reports its free space; a write to a full one fails anyway.
	if err == nil && free-s.promised < bound {
		if s.open > 0 {
			return s.changed, nil
		}
		return nil, fmt.Errorf("%w: an object may need %d MiB, and %s has %d MiB free; free some space, or set "+
			"another directory for scratch files", ErrNoSpace, (bound+1<<20-1)>>20, s.dir, free>>20)
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

// release ends a file that did not use left bytes of its reserved space.
func (s *scratch) release(left int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.promised -= left
	s.wake()
}

// wake makes waiting goroutines check again. The caller holds the lock.
func (s *scratch) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// scratchFile is a body in a file without a name.
type scratchFile struct {
	file *os.File // not embedded: its WriteString and ReadFrom would bypass Write
	s    *scratch
	left int64 // the bytes that it may still write
}

func (f *scratchFile) Write(b []byte) (int, error) {
	if int64(len(b)) > f.left {
		return 0, errBound
	}
	n, err := f.file.Write(b)
	f.left -= int64(n)
	f.s.wrote(int64(n))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		err = fmt.Errorf("%w: %s is full, or a limit on files is reached; free some space, or set another directory "+
			"for scratch files: %w", ErrNoSpace, f.s.dir, err)
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
