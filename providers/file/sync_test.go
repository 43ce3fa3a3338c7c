package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// syncFault calls fault with the file's path before each sync of a file.
type syncFault struct {
	mu    sync.Mutex
	open  map[*disk.File]string
	fault func(path string) error // if it returns nil, the sync is executed
}

func (s *syncFault) Change(op *disk.Op, do func() error) error {
	s.mu.Lock()
	if op.Kind == disk.Open {
		s.open[op.File] = op.Path
	}
	path := s.open[op.File]
	s.mu.Unlock()
	if op.Kind == disk.Sync || op.Kind == disk.SyncAll {
		if err := s.fault(path); err != nil {
			return &fs.PathError{Op: "sync", Path: path, Err: err}
		}
	}
	return do()
}

// syncFaults creates an archive's directory with one object. It returns a new store of it, which has synced
// nothing yet.
func syncFaults(t *testing.T, fault func(path string) error) *adapter {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "a", "b")
	if _, err := storetest.PutBytes(t, openDir(t, root), "data/x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(disk.Observe(dir, &syncFault{open: map[*disk.File]string{}, fault: fault}))
	return openDir(t, root)
}

// ext4 returns EROFS from fsync once a disk error has aborted the file system: the last writes are lost. A file
// system that is mounted read-only returns success, and a file system without fsync returns EINVAL or ENOTSUP.
func TestFileSyncOfAnAbortedFileSystem(t *testing.T) {
	for _, c := range []struct {
		where string // end of the paths whose sync fails
		err   error
		fails bool
	}{
		{"/data/x", unix.EROFS, true},
		{"/data", unix.EROFS, true},
		{"/a/b", unix.EROFS, true},
		{"/a", unix.EROFS, false}, // above the archive, such as a root file system mounted read-only
		{"/data/x", unix.EIO, true},
		{"/data/x", unix.EINVAL, false},
		{"/data/x", unix.ENOTSUP, false},
		{"/data", unix.EINVAL, false},
		{"/a", unix.EINVAL, false},
		{"/a", unix.ENOTSUP, false},
		{"/a", unix.EIO, true},
	} {
		t.Run(fmt.Sprintf("%s %v", strings.ReplaceAll(c.where, "/", "_"), c.err), func(t *testing.T) {
			s := syncFaults(t, func(path string) error {
				if strings.HasSuffix(path, c.where) {
					return c.err
				}
				return nil
			})
			if err := s.Sync(t.Context(), "data/x"); (err != nil) != c.fails || c.fails && !errors.Is(err, c.err) {
				t.Errorf("Sync: %v", err)
			}
		})
	}
}

// A disk that hangs keeps fsync from returning. A caller must be able to stop waiting.
func TestFileSyncEndsWithItsContext(t *testing.T) {
	hangs := make(chan struct{})
	s := syncFaults(t, func(string) error { <-hangs; return nil })
	defer close(hangs)
	for name, do := range map[string]func(context.Context) error{
		"Sync":    func(ctx context.Context) error { return s.Sync(ctx, "data/x") },
		"SyncAll": s.SyncAll,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// SyncAll waits for a whole file system. Its error names the directory.
func TestFileSyncAllNamesItsDirectory(t *testing.T) {
	s := syncFaults(t, func(string) error { return unix.EIO })
	if err := s.SyncAll(t.Context()); !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), s.root) {
		t.Errorf("%v", err)
	}
}

// Sweep compares the age by the file server's clock. This host's clock may be years ahead, and Sweep must not
// remove the file of a live process on another host.
func TestFileSweepGoesByTheFileSystemsClock(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, hidden, fmt.Sprintf("put-%s-1-1", "0123456789abcdef"))
	if err := errors.Join(os.Mkdir(filepath.Join(dir, hidden), 0o750), os.WriteFile(live, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(200 * 365 * 24 * time.Hour) // from the year 2000
		s := newAdapter(dir, "")
		defer s.Close()
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("Sweep: %d, %v", n, err)
		}
	})
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the file of a live process was removed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, hidden)); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
}

// The clock of a host may be a week ahead. Its first Put must not remove the temporary files of other hosts,
// which write to the same archive. Only Sweep compares the age.
func TestFilePutSweepsNoFileOfOtherHosts(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := errors.Join(dead.Run(), os.Mkdir(filepath.Join(dir, hidden), 0o750)); err != nil {
		t.Fatal(err)
	}
	week := time.Now().Add(-cloud.StaleAge - time.Hour)
	stays := []string{
		fmt.Sprintf("put-%s-%d-1", "0123456789abcdef", dead.Process.Pid),
		fmt.Sprintf("put-%s-%d-2", machine(), os.Getppid()),
	}
	goes := fmt.Sprintf("put-%s-%d-3", machine(), dead.Process.Pid)
	for _, name := range append(stays, goes) {
		path := filepath.Join(dir, hidden, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, week, week)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storetest.PutBytes(t, openDir(t, dir), "a", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(dir, hidden, name)); err != nil {
			t.Errorf("the file of a live process was removed: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, hidden, goes)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a dead process was not removed: %v", err)
	}
}
