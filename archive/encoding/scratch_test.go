package encoding

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/manifest"
)

func TestScratchFiles(t *testing.T) {
	t.Parallel()
	e := newEncoder(t, Settings{Budget: budgetOf(t, Limits{Memory: 1})})
	x, err := e.Encode(t.Context(), bytes.NewReader(random(100_000)), 100_000, manifest.Plain)
	if err != nil {
		t.Fatal(err)
	}
	f := x.body.(*scratchFile)
	info, err := f.file.Stat()
	if err != nil || info.Mode() != 0o600 || info.Size() != 100_000 || info.Sys().(*syscall.Stat_t).Nlink != 0 {
		t.Errorf("%+v, %v: not a file of mode 0600 without a name", info, err)
	}
	if filepath.Dir(f.file.Name()) != e.scratch.dir {
		t.Errorf("it lies in %s", f.file.Name())
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	idle(t, e, 1)
	// Where no directory is set, none is chosen.
	none, err := New(Settings{Budget: mustBudget(t, Limits{Memory: 1})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Encode(t.Context(), bytes.NewReader(nil), 1, manifest.Plain); !errors.Is(err, ErrNoSpace) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(e.scratch.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(t.Context(), bytes.NewReader(nil), 1, manifest.Plain); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
	if e.scratch.open != 0 || e.scratch.promised != 0 {
		t.Error("a file that was not made holds space")
	}
}

// /dev/full returns a full disk's error.
func TestScratchDiskFull(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	e := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}, Budget: budgetOf(t, Limits{Memory: 1})})
	e.scratch.create = func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	for _, how := range allEncodings {
		for _, size := range []int64{0, 1, 100_000, 5_000_000} {
			if how == manifest.Plain && size == 0 {
				continue // nothing is written
			}
			_, err := e.Encode(t.Context(), bytes.NewReader(random(int(size))), size, how)
			if !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), e.scratch.dir) {
				t.Errorf("%q: %v", how, err)
			}
			idle(t, e, 1)
		}
	}
}

// One that fits waits for the space of others; one that never will is refused at once.
func TestScratchSpace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 100_000
		e := newEncoder(t, Settings{Budget: budgetOf(t, Limits{Memory: 1})})
		var used atomic.Int64
		e.scratch.free = func(string) (int64, error) { return 2*size + size/2 - used.Load(), nil }
		if _, err := e.Encode(t.Context(), bytes.NewReader(nil), 3*size, manifest.Plain); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("%v", err)
		}
		var objects [2]*Encoded
		for i := range objects {
			x, err := e.Encode(t.Context(), bytes.NewReader(random(size)), size, manifest.Plain)
			if err != nil {
				t.Fatal(err)
			}
			used.Add(size)
			objects[i] = x
		}
		start := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				x, err := e.Encode(ctx, bytes.NewReader(random(size)), size, manifest.Plain)
				if err == nil {
					err = x.Close()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := start(ctx), start(t.Context())
		cancel(errGivenUp)
		if err := <-first; !errors.Is(err, errGivenUp) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if len(second) > 0 {
			t.Fatalf("it did not wait: %v", <-second)
		}
		used.Add(-size)
		if err := objects[0].Close(); err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		if err := objects[1].Close(); err != nil {
			t.Error(err)
		}
		idle(t, e, 1)
	})
}

// A scratch disk that hangs stops no other file: the lock is not held while its free space is measured.
func TestHangingScratchDiskHoldsNoLock(t *testing.T) {
	t.Parallel()
	s := newScratch(&Limits{Scratch: t.TempDir()})
	asked, answer := make(chan struct{}), make(chan struct{})
	s.free = func(string) (int64, error) {
		close(asked)
		<-answer
		return 150, nil
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.take(100, 0)
		ended <- err
	}()
	<-asked
	s.wrote(0) // takes the lock
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What other files write while the free space is measured is not counted as free.
func TestScratchSpaceIsMeasuredBesideWrites(t *testing.T) {
	t.Parallel()
	s := newScratch(&Limits{Scratch: t.TempDir()})
	s.open, s.promised = 1, 100
	s.free = func(string) (int64, error) {
		s.wrote(50) // after the file system has counted
		return 150, nil
	}
	if later, err := s.take(100, 0); later == nil || err != nil {
		t.Errorf("the 50 written bytes count as free: %v", err)
	}
}

// Two that are written at the same time do not both count on the same free bytes.
func TestScratchSpaceIsPromisedOnce(t *testing.T) {
	t.Parallel()
	s := newScratch(&Limits{Scratch: t.TempDir()})
	s.free = func(string) (int64, error) { return 150, nil }
	f, err := s.file(t.Context(), 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	if later, err := s.take(100, 0); later == nil || err != nil {
		t.Fatalf("another 100 of 150 bytes were promised, or: %v", err)
	}
	f.Write(make([]byte, 10))
	f.seal() // 90 of them are not needed
	if later, err := s.take(100, 0); later != nil || err != nil {
		t.Fatalf("what was not needed was not given back: %v", err)
	}
	s.release(100)
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if s.open != 0 || s.promised != 0 {
		t.Errorf("%d files, %d bytes", s.open, s.promised)
	}
}
