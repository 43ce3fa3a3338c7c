package encoding

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// ErrNoSpace reports that the scratch directory has too little space for a large object.
var ErrNoSpace = errors.New("not enough space for scratch files")

// MinFree is the free space in bytes that scratch files leave on a disk that they share with a database. If the space
// falls below it, they are given up: a database that cannot write stops.
const MinFree = 256 << 20

// checkEvery is how many bytes of a scratch file are written between two checks of the free space.
const checkEvery = 4 << 20

// scratch creates scratch files in one directory, and no more at a time than there is space for.
type scratch struct {
	dir    string
	make   bool  // the directory is made when it is missing
	spare  int64 // the bytes that all files leave free
	create func(dir string) (*os.File, error)
	free   func(dir string) (bytes int64, err error)

	mu       sync.Mutex
	open     int
	promised int64         // the bytes that open files may still write
	changed  chan struct{} // closed and replaced when space was released
}

func newScratch(l *Limits) *scratch {
	return &scratch{
		dir: l.Scratch, make: l.MakeScratch, spare: l.Reserve,
		create: createScratch, free: freeSpace, changed: make(chan struct{}),
	}
}

// hangs is the time after which the disk of the scratch files counts as hanging.
const hangs = 30 * time.Second

// within calls do, which uses the directory of the scratch files, and returns disk.ErrHangs if its disk hangs.
func within[T any](ctx context.Context, dir string, do func() (T, error)) (T, error) {
	return disk.Within(ctx, dir+string(filepath.Separator), hangs, do)
}

// createScratch creates a file without a name, so that it disappears with the process, even after a crash.
func createScratch(dir string) (*os.File, error) {
	return within(context.Background(), dir, func() (*os.File, error) {
		f, err := os.CreateTemp(dir, ".strongroom-scratch-*") // 0600
		if err != nil {
			return nil, err
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	})
}

func freeSpace(dir string) (int64, error) {
	return within(context.Background(), dir, func() (int64, error) {
		free, isKnown := disk.Free(dir)
		if !isKnown {
			return 0, errors.New("the file system does not report its free space")
		}
		return free, nil
	})
}

// place returns the directory or, if it is yet to be made, the nearest one above it, which is on the same disk.
func (s *scratch) place() string {
	dir := s.dir
	for s.make && dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// errNoDirectory returns ErrNoSpace for an object that needs a scratch file where no directory is set.
func errNoDirectory(bound int64) error {
	return fmt.Errorf("%w: the object may need %d bytes, more than is kept in memory, and no directory for "+
		"scratch files is set; set one", ErrNoSpace, bound)
}

// prepare makes the directory, if it may, or checks that it is there.
func (s *scratch) prepare(ctx context.Context) error {
	_, err := within(ctx, s.dir, func() (struct{}, error) { return struct{}{}, s.find() })
	if errors.Is(err, disk.ErrHangs) {
		return fmt.Errorf("the directory for scratch files: %w; repair its disk, or set another directory", err)
	}
	return err
}

func (s *scratch) find() error {
	if s.make {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return fmt.Errorf("making the directory for scratch files: %w", err)
		}
		return nil
	}
	info, err := os.Stat(s.dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", s.dir)
	}
	if err != nil {
		return fmt.Errorf("the directory for scratch files: %w; create it, writable for the user that runs this, "+
			"or set another one", err)
	}
	return nil
}

// file creates a scratch file that may grow to bound bytes, and leaves reserve bytes free. If there is too little
// space, it waits for other scratch files to be closed, or returns ErrNoSpace if there are none.
func (s *scratch) file(ctx context.Context, bound, reserve int64) (*scratchFile, error) {
	if s.dir == "" {
		return nil, errNoDirectory(bound)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	for {
		later, err := s.take(bound, reserve)
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
	return &scratchFile{file: f, s: s, left: bound, reserve: reserve}, nil
}

// SameDisk reports whether two directories are on one file system; false if that is unknown.
func SameDisk(one, other string) bool {
	var a, b unix.Stat_t
	return unix.Stat(one, &a) == nil && unix.Stat(other, &b) == nil && a.Dev == b.Dev
}

// take reserves space for a file. If there is too little, it returns a channel that is closed when space was released.
func (s *scratch) take(bound, reserve int64) (later <-chan struct{}, err error) {
	for {
		room := s.measure()
		s.mu.Lock()
		err := s.fits(room, bound, reserve)
		switch {
		case err == nil:
			s.open++
			s.promised += bound
		case s.open > 0:
			later, err = s.changed, nil
		case room.promised != s.promised: // files were closed since
			s.mu.Unlock()
			continue
		}
		s.mu.Unlock()
		return later, err
	}
}

// room is the free space at one time.
type room struct {
	free     int64
	unknown  bool  // not every file system reports its free space
	promised int64 // before free was measured
}

// measure returns the free space. The caller does not hold the lock: a disk that hangs would stop all archives.
func (s *scratch) measure() room {
	s.mu.Lock()
	promised := s.promised
	s.mu.Unlock()
	free, err := s.free(s.place())
	return room{free: free, unknown: err != nil, promised: promised}
}

// fits returns ErrNoSpace if there is too little space for a file. The caller holds the lock. What was written since
// the measurement counts as promised.
func (s *scratch) fits(r room, bound, reserve int64) error {
	// Without a known space, a write to a full file system fails anyway.
	if r.unknown || r.free-max(r.promised, s.promised)-reserve >= bound {
		return nil
	}
	kept := ""
	if reserve > 0 {
		kept = fmt.Sprintf(", and %d MiB must stay free for other programs", reserve>>20)
	}
	return fmt.Errorf("%w: an object may need %d MiB; %s has %d MiB free%s; free some space, or set "+
		"another directory for scratch files", ErrNoSpace, (bound+1<<20-1)>>20, s.dir, r.free>>20, kept)
}

// isShort returns ErrNoSpace if less than reserve bytes are free.
func (s *scratch) isShort(reserve int64) error {
	if reserve == 0 {
		return nil
	}
	free, err := s.free(s.dir)
	if err != nil || free >= reserve {
		return nil
	}
	return fmt.Errorf("%w: %s has only %d MiB free, less than the %d MiB that stay free for other programs, "+
		"so its scratch files were given up; free some space, or set another directory for scratch files",
		ErrNoSpace, s.dir, free>>20, reserve>>20)
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
	file    *os.File // not embedded: its WriteString and ReadFrom would bypass Write
	s       *scratch
	left    int64         // the bytes that it may still write
	reserve int64         // the bytes that it leaves free
	checked int64         // the value of left at the last check of the free space
	users   *atomic.Int64 // counts the Encoder's open files; nil: none does
}

func (f *scratchFile) Write(b []byte) (int, error) {
	if int64(len(b)) > f.left {
		return 0, errBound
	}
	if f.checked-f.left >= checkEvery || f.checked == 0 {
		f.checked = f.left
		if err := f.s.isShort(f.reserve); err != nil {
			return 0, err
		}
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
	if f.users != nil {
		f.users.Add(-1)
	}
	return err
}
