package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
