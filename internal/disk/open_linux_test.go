package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file server such as Samba holds leases on the files that its clients have open. An open that does not wait is
// refused there, so a backup beside it would fail for no reason.
func TestOpenWaitsForALease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "leased")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, open := range map[string]func() (*File, error){
		"by path":   func() (*File, error) { return OpenRegular(path, os.O_RDONLY, 0) },
		"in a root": func() (*File, error) { return root.Open("leased") },
	} {
		holder, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		lease := func(cmd, kind int) (int, error) { return unix.FcntlInt(holder.Fd(), cmd, kind) }
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			_, err := lease(unix.F_SETLEASE, unix.F_WRLCK)
			if err == nil {
				break
			}
			// A program that another test starts has the file open, too, for a moment.
			if !errors.Is(err, unix.EAGAIN) || time.Now().After(deadline) {
				t.Skipf("this file system has no leases: %v", err)
			}
		}
		opened := make(chan error, 1)
		go func() {
			f, err := open()
			if err == nil {
				err = f.Close()
			}
			opened <- err
		}()
		for is := unix.F_WRLCK; is == unix.F_WRLCK; { // until the kernel wants it back
			if is, err = lease(unix.F_GETLEASE, 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := lease(unix.F_SETLEASE, unix.F_UNLCK); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-opened, holder.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
