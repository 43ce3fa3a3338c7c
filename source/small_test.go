package source

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// A subdirectory that cannot be read may have log files. A set without them would count as complete, and a cleaner
// would delete them. Only the directory that each file system makes for itself is left out, and only for lack of
// permission.
func TestUnreadableDirectoryFailsTheCapture(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	for _, test := range []struct {
		dir     string
		err     error
		isEmpty bool
	}{
		{"data001", syscall.EACCES, false},
		{"lost+found", syscall.EIO, false},
		{"lost+found", syscall.EACCES, true},
	} {
		var l listing
		err := d.excuse(test.dir, &l, &fs.PathError{Op: "open", Path: test.dir, Err: test.err})
		if test.isEmpty != (err == nil) || test.isEmpty != (len(l.ignored) == 1) {
			t.Errorf("%s, %v: error %v, ignored %+v", test.dir, test.err, err, l.ignored)
		}
	}
}

// A service captures again after each failure. A descriptor that a failed capture leaves open would be one less for
// the database's host each time, and it keeps the disk space of a file that was deleted.
func TestFailedCaptureClosesAllFiles(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2, 3)...)
	var opened []*os.File
	d.hooks.open = func(path string) (*os.File, error) {
		if len(opened) == 3 {
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EIO}
		}
		f, err := openFile(path)
		opened = append(opened, f)
		return f, err
	}
	if _, err := d.Capture(t.Context(), nil); !errors.Is(err, syscall.EIO) {
		t.Fatalf("%v, want EIO", err)
	}
	for _, f := range opened {
		if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s is still open: %v", f.Name(), err)
		}
	}
}

// A capture leaves half of the descriptors to connections, and counts those that are open already. Otherwise a host
// with a low limit could neither send its files nor answer a health check.
func TestBudgetIsHalfOfTheLimitWithoutOpenFiles(t *testing.T) { //nolint:paralleltest // it lowers the limit of the process
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 400
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	const more = 10
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if n := descriptorBudget(); n < 1 || n > 200-more {
		t.Errorf("with %d open files and a limit of 400, the budget is %d", more, n)
	}
}
