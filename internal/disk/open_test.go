package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// No open waits for the other end of a named pipe: no signal would end it.
func TestOpensOfAPipeReturn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, open := range map[string]func() error{
		"OpenRoot":      func() error { _, err := OpenRoot(pipe); return err },
		"OpenDir":       func() error { _, err := OpenDir(pipe); return err },
		"Root.OpenRoot": func() error { _, err := root.OpenRoot("pipe"); return err },
		"OpenRegular":   func() error { _, err := OpenRegular(pipe, os.O_RDONLY, 0); return err },
		"of a writer":   func() error { _, err := OpenFile(pipe, os.O_WRONLY, 0); return err },
		"of a reader":   func() error { f, err := OpenFile(pipe, os.O_RDONLY, 0); return mustBePipe(f, err) },
		"Root.Open":     func() error { f, err := root.Open("pipe"); return mustBePipe(f, err) },
		"Root.OpenFile": func() error { _, err := root.OpenFile("pipe", os.O_WRONLY, 0); return err },
	} {
		ended := make(chan error, 1)
		go func() { ended <- open() }()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s hangs", name)
		}
	}
	failed, is := errors.AsType[*fs.PathError](func() error { _, err := OpenRoot(pipe); return err }())
	if !is || failed.Path != pipe || !errors.Is(failed, syscall.ENOTDIR) {
		t.Errorf("OpenRoot: %v", failed)
	}
}

// mustBePipe reads the pipe, which must not wait either.
func mustBePipe(f *File, err error) error {
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Read(make([]byte, 1))
	return err
}
