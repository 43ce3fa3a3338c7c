package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// replacements are the ways in which an archive's directory may be replaced while it is in use.
var replacements = map[string]func(t *testing.T, dir string){
	"moved away": func(t *testing.T, dir string) { move(t, dir) },
	"replaced by an empty directory": func(t *testing.T, dir string) {
		move(t, dir)
		must(t, os.Mkdir(dir, 0o700))
	},
	"replaced by a file": func(t *testing.T, dir string) {
		move(t, dir)
		must(t, os.WriteFile(dir, nil, 0o600))
	},
	"replaced by a link": func(t *testing.T, dir string) {
		move(t, dir)
		must(t, os.Symlink(t.TempDir(), dir))
	},
	"removed": func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) },
	"removed and made again": func(t *testing.T, dir string) {
		must(t, os.RemoveAll(dir))
		must(t, os.MkdirAll(filepath.Join(filepath.Dir(dir), "takes its inode"), 0o700))
		must(t, os.Mkdir(dir, 0o700))
	},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, dir string) string {
	t.Helper()
	must(t, os.Rename(dir, dir+" elsewhere"))
	return dir + " elsewhere"
}

// fileOps are all operations of a directory.
var fileOps = map[string]func(ctx context.Context, s *adapter) error{
	"Get": func(ctx context.Context, s *adapter) error {
		r, err := s.Get(ctx, "data/a", 0, -1)
		if err == nil {
			r.Close()
		}
		return err
	},
	"Get of a missing object": func(ctx context.Context, s *adapter) error {
		_, err := s.Get(ctx, "data/none", 0, -1)
		return err
	},
	"Stat": func(ctx context.Context, s *adapter) error {
		_, err := s.Stat(ctx, "data/a")
		return err
	},
	"List": func(ctx context.Context, s *adapter) error {
		for _, err := range s.List(ctx, "", "", "") {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Put": func(ctx context.Context, s *adapter) error {
		_, err := s.Put(ctx, "data/b", zeros(1000), storetest.SumsOf(make([]byte, 1000)))
		return err
	},
	"Put of an existing object": func(ctx context.Context, s *adapter) error {
		_, err := s.Put(ctx, "data/a", zeros(10), storetest.SumsOf(make([]byte, 10)))
		return err
	},
	"Put of archive.json": func(ctx context.Context, s *adapter) error {
		_, err := s.Put(ctx, manifest.ArchiveKey, zeros(10), storetest.SumsOf(make([]byte, 10)))
		return err
	},
	"Delete": func(ctx context.Context, s *adapter) error { return s.Delete(ctx, store.AnyVersion("data/a")) },
	"Sweep": func(ctx context.Context, s *adapter) error {
		_, err := s.Sweep(ctx)
		return err
	},
}

type zeros int

func (z zeros) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	return min(len(b), int(z)-int(off)), nil
}

// Issue 14: the directory of a destination that was unmounted during a run was created again below the mount
// point. Now each operation reports that the archive has gone. No operation reports a missing object or creates
// a file.
func TestFileRootReplaced(t *testing.T) {
	t.Parallel()
	for what, replace := range replacements {
		for name, op := range fileOps {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "archive")
				s := openDir(t, dir)
				if _, err := s.Put(t.Context(), "data/a", zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
					t.Fatal(err)
				}
				replace(t, dir)
				err := op(t.Context(), s)
				if !errors.Is(err, store.ErrGone) || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v; want store.ErrGone", err)
				}
				if made, err := os.ReadDir(dir); err == nil && len(made) > 0 {
					t.Errorf("%v was created in its place", made)
				}
			})
		}
	}
}

// If a directory is replaced during an operation, that operation already reports it. Otherwise its result would
// be from another directory than that of the next operation.
func TestFileRootReplacedWithinAnOperation(t *testing.T) {
	t.Parallel()
	for what, replace := range replacements {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "archive")
			s := openDir(t, dir)
			if _, err := s.Put(t.Context(), "data/a", zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
				t.Fatal(err)
			}
			body := &replacing{zeros(1000), func() { replace(t, dir) }}
			if _, err := s.Put(t.Context(), "data/b", body, storetest.SumsOf(make([]byte, 1000))); !errors.Is(err, store.ErrGone) {
				t.Errorf("Put: %v", err)
			}
			for _, d := range []string{dir, dir + " elsewhere"} {
				if _, err := os.Stat(filepath.Join(d, "data", "b")); err == nil {
					t.Errorf("the object is in %s", d)
				}
			}
		})
		t.Run("List, "+what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "archive")
			s := openDir(t, dir)
			for _, key := range []string{"data/a", "data/b/c"} {
				if _, err := s.Put(t.Context(), key, zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
					t.Fatal(err)
				}
			}
			var last error
			for o, err := range s.List(t.Context(), "", "", "") {
				if last = err; o.Key == "data/a" {
					replace(t, dir)
				}
			}
			if !errors.Is(last, store.ErrGone) {
				t.Errorf("List ended with %v", last)
			}
		})
	}
}

// replacing is content that calls happen at its first read.
type replacing struct {
	zeros
	happen func()
}

func (r *replacing) ReadAt(b []byte, off int64) (int, error) {
	if r.happen != nil {
		r.happen()
		r.happen = nil
	}
	return r.zeros.ReadAt(b, off)
}

// A directory that was moved away and back is the same one: the next operation succeeds.
func TestFileRootComesBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	s := openDir(t, dir)
	put := func(key string) error {
		_, err := s.Put(t.Context(), key, zeros(10), storetest.SumsOf(make([]byte, 10)))
		return err
	}
	must(t, put("a"))
	away := move(t, dir)
	must(t, os.Mkdir(dir, 0o700))
	if err := put("b"); !errors.Is(err, store.ErrGone) {
		t.Fatal(err)
	}
	must(t, os.Remove(dir))
	must(t, os.Rename(away, dir))
	must(t, put("b"))
}

// During a Hold, only a Put of the archive's first object creates the directory: any other object belongs to an
// archive that existed.
func TestFileHoldMakesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mnt", "archive")
	s := openDir(t, dir)
	release := s.Hold()
	defer release()
	for _, key := range []string{"data/a", "manifests/000/000/002.json", "proofs/x", "probe/x/first"} {
		if _, err := s.Put(t.Context(), key, zeros(10), storetest.SumsOf(make([]byte, 10))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Put of %s: %v", key, err)
		}
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a directory was created: %v", err)
	}
	if _, err := s.Put(t.Context(), manifest.ArchiveKey, zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "data/a", zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
		t.Fatal(err)
	}
}

// Between two runs no descriptor is open, so that a disk can be unmounted and another one mounted. A run keeps
// its directory even if another run ends.
func TestFileHoldIsReleased(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	for name, o := range map[string]cloud.Options{
		"plain": {}, "counted and slowed": {Counter: &cloud.Counter{}, Bandwidth: cloud.NewBandwidth(func(time.Time) int64 { return 1 << 30 })},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, "file://"+dir+name[:1], o)
			dir := dir + name[:1]
			h := b.(store.Holder)
			first, second := h.Hold(), h.Hold()
			if _, err := b.Put(t.Context(), manifest.ArchiveKey, zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
				t.Fatal(err)
			}
			first()
			first() // a second release has no effect
			if n := openedBelow(t, dir); n != 1 {
				t.Errorf("%d descriptors during the second Hold", n)
			}
			move(t, dir)
			must(t, os.Mkdir(dir, 0o700))
			if _, err := b.Stat(t.Context(), "a"); !errors.Is(err, store.ErrGone) {
				t.Errorf("during the second Hold: %v", err)
			}
			second()
			if n := openedBelow(t, dir); n != 0 {
				t.Errorf("%d descriptors after the last release", n)
			}
			if _, err := b.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after both: %v", err)
			}
			if n := openedBelow(t, dir); n != 0 {
				t.Errorf("%d descriptors after an operation without a Hold", n)
			}
		})
	}
}

// openedBelow counts this process's descriptors of a directory, also if it was moved.
func openedBelow(t *testing.T, dir string) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("the descriptors of a process cannot be listed here: %v", err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && (to == dir || to == dir+" elsewhere") {
			n++
		}
	}
	return n
}
