package file

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Something that is no object lies where a Put needs an object or a directory. "Another object exists" would be wrong,
// since none can be read there, and a writer that loses a race to it would try for ever. The error names what lies
// there, FindBlock finds it before a Put does. A listing goes on, unless objects may lie behind a link out of the archive.
func TestFileBlocked(t *testing.T) {
	t.Parallel()
	const key = "data/x/1"
	for i, c := range []struct {
		at, what string
		put      func(path string) error
	}{
		{key, "a directory", func(path string) error { return os.Mkdir(path, 0o700) }},
		{key, "a named pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{key, "a symbolic link", func(path string) error { return os.Symlink("1", path) }},
		{key, "a symbolic link", func(path string) error { return os.Symlink("nothing", path) }},
		{key, "a symbolic link", func(path string) error { return os.Symlink("/etc/hostname", path) }},
		{key, "a symbolic link", func(path string) error {
			return errors.Join(os.WriteFile(path+".same", make([]byte, 10), 0o600), os.Symlink("1.same", path))
		}},
		{"data/x", "a file", func(path string) error { return os.WriteFile(path, nil, 0o600) }},
		{"data/x", "a symbolic link", func(path string) error { return os.Symlink("x", path) }},
		{"data/x", "a symbolic link", func(path string) error { // to a directory of the archive; its listing shows nothing below x
			return errors.Join(os.Mkdir(filepath.Join(filepath.Dir(path), "y"), 0o700), os.Symlink("y", path))
		}},
		{"data", "a file", func(path string) error { return os.WriteFile(path, nil, 0o600) }},
		{"data", "a symbolic link", func(path string) error { return os.Symlink("/", path) }},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.at, c.what, i), func(t *testing.T) {
			t.Parallel()
			s := openDir(t, t.TempDir())
			path := filepath.Join(s.root, c.at)
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, c.put(path))
			_, err := s.Put(t.Context(), key, zeros(10), storetest.SumsOf(make([]byte, 10)))
			blocked, is := errors.AsType[*store.Blocked](err)
			if !is || !errors.Is(err, store.ErrBlocked) || errors.Is(err, store.ErrExists) || blocked.AtKey != (c.at == key) ||
				!strings.Contains(err.Error(), path+" is "+c.what) {
				t.Errorf("Put: %v", err)
			}
			found, err := s.FindBlock(t.Context(), key)
			if err != nil || found == nil || is && *found != *blocked {
				t.Errorf("FindBlock: %+v, %v", found, err)
			}
			tested := s.TestCreation(t.Context(), slices.Values([]string{key}))
			if errors.Is(tested, store.ErrBlocked) != (c.at != key) || (tested != nil) != (c.at != key) {
				t.Errorf("TestCreation: %v", tested)
			}
			leadsOut := c.at == "data" && c.what == "a symbolic link"
			var listed error
			for _, err := range s.List(t.Context(), "data/", "", "") {
				listed = errors.Join(listed, err)
			}
			if errors.Is(listed, store.ErrBlocked) != leadsOut || (listed != nil) != leadsOut {
				t.Errorf("List: %v", listed)
			}
			must(t, os.RemoveAll(path))
			if found, err := s.FindBlock(t.Context(), key); found != nil || err != nil {
				t.Errorf("FindBlock of a free key: %+v, %v", found, err)
			}
			_, err = s.Put(t.Context(), key, zeros(10), storetest.SumsOf(make([]byte, 10)))
			must(t, err)
			if found, err := s.FindBlock(t.Context(), key); found != nil || err != nil {
				t.Errorf("FindBlock of an object: %+v, %v", found, err)
			}
		})
	}
}

// Another program, or one who wants to stop backups, puts a named pipe where the archive has a file or a directory of its
// own. An open waits for the other end of a pipe for ever, and no signal ends it. So each operation returns, with an
// error where it needs what should be there, and works again without the pipe.
func TestFilePipesInTheWay(t *testing.T) {
	t.Parallel()
	for _, at := range []string{".", hidden, lockName, "data", "data/a", "data/b", manifest.ArchiveKey} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := openDir(t, filepath.Join(t.TempDir(), "archive"))
			put := func() error {
				_, err := s.Put(t.Context(), "data/a", zeros(10), storetest.SumsOf(make([]byte, 10)))
				return err
			}
			must(t, put())
			must(t, s.Close())
			pipe := filepath.Join(s.root, at)
			must(t, os.RemoveAll(pipe))
			must(t, syscall.Mkfifo(pipe, 0o600))
			for name, op := range fileOps {
				ended := make(chan error, 1)
				go func() { ended <- op(t.Context(), openDir(t, s.root)) }()
				select {
				case err := <-ended:
					isNew := strings.HasPrefix(name, "Put of archive") || name == "Put"
					if at == hidden && isNew && !strings.Contains(fmt.Sprint(err), pipe+" is a named pipe") {
						t.Errorf("%s: %v", name, err)
					}
					if at == "." && err == nil && !strings.HasPrefix(name, "Delete") {
						t.Errorf("%s succeeds without an archive", name)
					}
				case <-time.After(time.Minute):
					t.Fatalf("%s hangs", name)
				}
			}
			must(t, os.RemoveAll(pipe))
			must(t, put())
		})
	}
}

// A link in place of archive.json counts as a missing object, wherever it leads: a restore must go on without that object
// as it does with any other thing in its place.
func TestFileLinksThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{
		"out of the archive": "../elsewhere", "absolute": "/etc/hostname", "to nothing": "nothing", "in a circle": manifest.ArchiveKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openDir(t, filepath.Join(t.TempDir(), "archive"))
			must(t, os.Mkdir(s.root, 0o700))
			must(t, os.WriteFile(filepath.Join(s.root, "..", "elsewhere"), []byte("{}"), 0o600))
			must(t, os.Symlink(to, filepath.Join(s.root, manifest.ArchiveKey)))
			if _, err := s.Stat(t.Context(), manifest.ArchiveKey); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat: %v", err)
			}
			if _, err := s.Get(t.Context(), manifest.ArchiveKey, 0, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Get: %v", err)
			}
		})
	}
}

// A link or a socket in place of a directory gives the same answer to every listing: a verification, which lists
// everything, must not find all well where a restore, which lists one directory, fails.
func TestFileListingsAgree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put   func(path string) error
		fails bool
	}{
		"a link to nothing": {func(path string) error { return os.Symlink("/nonexistent/x", path) }, true},
		"a link out":        {func(path string) error { return os.Symlink("/etc", path) }, true},
		"a socket": {func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, false},
		"a pipe": {func(path string) error { return syscall.Mkfifo(path, 0o600) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "listing") // a socket's path must be short
			must(t, err)
			t.Cleanup(func() { os.RemoveAll(dir) })
			s := openDir(t, dir)
			must(t, c.put(filepath.Join(dir, "ledger")))
			for _, prefix := range []string{"", "ledger/", "ledger/000/"} {
				var listed error
				for _, err := range s.List(t.Context(), prefix, "", "") {
					listed = errors.Join(listed, err)
				}
				if errors.Is(listed, store.ErrBlocked) != c.fails || (listed != nil) != c.fails {
					t.Errorf("List of %q: %v", prefix, listed)
				}
			}
		})
	}
}

// A directory that refuses deletes keeps one file of all trials, and a later trial finds out whether files can be created
// there still.
func TestFileTrialsReuseTheirName(t *testing.T) {
	t.Parallel()
	s := openDir(t, filepath.Join(t.TempDir(), "archive"))
	_, err := s.Put(t.Context(), "data/a/1", zeros(10), storetest.SumsOf(make([]byte, 10)))
	must(t, err)
	left := filepath.Join(s.root, "data", "a", trialName)
	must(t, os.MkdirAll(filepath.Join(left, "x"), 0o700)) // as undeletable as a file in a directory that refuses deletes
	for range 3 {
		must(t, s.TestCreation(t.Context(), slices.Values([]string{"data/a/2"})))
	}
	entries, err := os.ReadDir(filepath.Join(s.root, "data", "a"))
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	if os.Geteuid() == 0 {
		return // it may create files in any directory
	}
	must(t, os.Chmod(filepath.Dir(left), 0o500))
	if err := s.TestCreation(t.Context(), slices.Values([]string{"data/a/2"})); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
	must(t, os.Chmod(filepath.Dir(left), 0o700))
}

// A trial leaves nothing where objects belong, makes no directory there, and is in no listing. Where the archive does not
// exist it finds no fault: the first Put makes the archive's directory.
func TestFileTrialLeavesNothing(t *testing.T) {
	t.Parallel()
	s := openDir(t, filepath.Join(t.TempDir(), "archive"))
	keys := []string{"data/a/0", "data/b/c/0", "bundles/0", "manifests/000/000/001.json", manifest.ArchiveKey}
	must(t, s.TestCreation(t.Context(), slices.Values(keys)))
	if _, err := os.Lstat(s.root); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the trial made the archive's directory: %v", err)
	}
	_, err := s.Put(t.Context(), "data/a/1", zeros(10), storetest.SumsOf(make([]byte, 10)))
	must(t, err)
	for _, hasLinks := range []bool{true, false} {
		s.noLinks.Store(!hasLinks)
		must(t, s.TestCreation(t.Context(), slices.Values(keys)))
		var all []string
		must(t, filepath.WalkDir(s.root, func(path string, _ fs.DirEntry, err error) error {
			all = append(all, strings.TrimPrefix(path, s.root))
			return err
		}))
		if want := []string{"", "/" + hidden, "/data", "/data/a", "/data/a/1"}; !slices.Equal(all, want) {
			t.Errorf("with links: %v: %q", hasLinks, all)
		}
	}
	must(t, os.WriteFile(filepath.Join(s.root, "data", trialPrefix+"x"), nil, 0o600))
	for o, err := range s.List(t.Context(), "", "", "") {
		if err != nil || o.Key != "data/a/1" {
			t.Errorf("a listing shows %s: %v", o.Key, err)
		}
	}
}
