package disk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A disk that hangs takes a bounded time and a bounded number of threads, however many operations are tried. Once it
// responds, all is as before.
func TestWithinADiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		responds, running := make(chan struct{}), atomic.Int64{}
		hang := func() (int, error) {
			running.Add(1)
			<-responds
			return 1, nil
		}
		try := func(name string, do func() (int, error)) (time.Duration, error) {
			start := time.Now()
			_, err := disk.Within(t.Context(), filepath.Join(dir, name), 10*time.Second, do)
			return time.Since(start), err
		}
		if took, err := try("0", hang); !errors.Is(err, disk.ErrHangs) || took != 10*time.Second {
			t.Errorf("the first operation took %v: %v", took, err)
		}
		if took, err := try("0", hang); !errors.Is(err, disk.ErrHangs) || took != 0 || running.Load() != 1 {
			t.Errorf("another one of the same file took %v, and %d run: %v", took, running.Load(), err)
		}
		if took, err := try("works", func() (int, error) { return 1, nil }); err != nil || took != 0 {
			t.Errorf("another file took %v: %v", took, err)
		}
		start := time.Now()
		for n := range 100 {
			if _, err := try(fmt.Sprint(n+1), hang); !errors.Is(err, disk.ErrHangs) {
				t.Errorf("%d: %v", n, err)
			}
		}
		if took := time.Since(start); took > 10*time.Second || running.Load() > 8 {
			t.Errorf("100 operations took %v, and %d run", took, running.Load())
		}
		close(responds)
		synctest.Wait()
		if _, err := try("0", hang); err != nil {
			t.Errorf("the disk responds again: %v", err)
		}
	})
}

// A stop does not wait for a disk.
func TestWithinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		responds := make(chan struct{})
		time.AfterFunc(time.Second, func() { cancel(stop) })
		_, err := disk.Within(ctx, filepath.Join(t.TempDir(), "x"), time.Minute, func() (int, error) {
			<-responds
			return 0, nil
		})
		if !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
		close(responds)
	})
}

// Another program may have put anything where a file should be. None of it makes a read or a write wait.
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.WriteFile(file, []byte("text"), 0o600)); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	for _, name := range []string{fifo, dir, os.DevNull} {
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY | os.O_APPEND} {
			f, err := disk.OpenRegular(name, flag, 0o600)
			if err == nil {
				f.Close()
			}
			if !errors.Is(err, disk.ErrNotRegular) && !errors.Is(err, syscall.EISDIR) {
				t.Errorf("%s, %#x: %v", name, flag, err)
			}
		}
	}
	if b, err := disk.ReadRegular(file, 4); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := disk.ReadRegular(file, 3); err == nil {
		t.Errorf("more than is allowed: %q", b)
	}
	if _, err := disk.ReadRegular(file+"2", 3); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A configuration or a key may come from a shell's <(command). A pipe that nothing is written to ends with the command.
func TestReadInputFromAPipe(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	go func() {
		if err := os.WriteFile(fifo, []byte("text"), 0o600); err != nil {
			t.Error(err)
		}
	}()
	if b, err := disk.ReadInput(t.Context(), fifo, 100); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	stop := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	writer := make(chan *os.File)
	go func() {
		f := openForReader(t, fifo)
		cancel(stop)
		writer <- f
	}()
	if _, err := disk.ReadInput(ctx, fifo, 100); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	if f := <-writer; f != nil {
		f.Close() // ends the read that is left
	}
}

// openForReader opens a pipe for writing once it has a reader. It returns nil if none comes.
func openForReader(t *testing.T, fifo string) *os.File {
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		f, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			return f
		}
		if !errors.Is(err, syscall.ENXIO) || time.Now().After(end) {
			t.Errorf("the pipe has no reader: %v", err)
			return nil
		}
	}
}
