package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A file that was written in place, or replaced by one with the same size and time, is another version: only the
// change time shows it.
func TestFileVersions(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	path := filepath.Join(s.root, "data", "a")
	for name, change := range map[string]func() error{
		"written in place": func() error { return os.WriteFile(path, []byte("correct"), 0o600) },
		"written in place, with its time set back": func() error {
			fi, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, []byte("correct"), 0o600), os.Chtimes(path, fi.ModTime(), fi.ModTime()))
		},
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+".new", []byte("correct"), 0o600), os.Rename(path+".new", path))
		},
	} {
		if _, err := storetest.PutBytes(t, s, "data/a", []byte("damaged")); err != nil {
			t.Fatal(err)
		}
		then, err := s.Stat(t.Context(), "data/a")
		if err != nil {
			t.Fatal(err)
		}
		waitForTick(t, s.root, then.Modified)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), []store.Object{then}); !errors.Is(err, store.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "correct" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if err := s.Delete(t.Context(), store.AnyVersion("data/a")); err != nil {
			t.Fatal(err)
		}
	}
}

// waitForTick waits until the file system's clock, which may advance in steps, is later than a time.
func waitForTick(t *testing.T, dir string, then time.Time) {
	t.Helper()
	name := filepath.Join(dir, "tick")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(name)
		if err := errors.Join(err, os.Remove(name)); err != nil {
			t.Fatal(err)
		}
		if fi.ModTime().After(then) {
			return
		}
	}
	t.Fatal("the file system's clock stands still")
}

// Another process is suspended between its comparison and its delete. A delete waits, and ends with an error in
// bounded time. Nothing is deleted in between, so the suspended process deletes what it has compared.
func TestFileDeleteWaitsForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openDir(t, t.TempDir())
		for _, key := range []string{"a", "b", "c"} {
			if _, err := storetest.PutBytes(t, s, key, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Join(s.root, hidden), 0o750); err != nil {
			t.Fatal(err)
		}
		other, err := os.OpenFile(filepath.Join(s.root, filepath.FromSlash(lockName)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = s.Delete(t.Context(), store.AnyVersion("a", "b", "c")) // a prune of many objects waits once
		if took := time.Since(start); !errors.Is(err, store.ErrDeleting) || took < lockPatience || took > lockPatience+time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Delete(ctx, store.AnyVersion("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if _, err := s.Stat(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := unix.Flock(int(other.Fd()), unix.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), store.AnyVersion("a")); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(filepath.Join(s.root, hidden)); err != nil || len(left) > 0 {
			t.Errorf("a delete leaves %v, %v", left, err)
		}
	})
}

// A delete works without the lock where its file cannot be made, as on a full disk.
func TestFileDeleteWithoutALock(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	if _, err := storetest.PutBytes(t, s, "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.root, filepath.FromSlash(lockName)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), store.AnyVersion("a")); err != nil {
		t.Error(err)
	}
}
