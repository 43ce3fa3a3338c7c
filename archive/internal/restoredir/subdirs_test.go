package restoredir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// begin opens a new directory for a set and makes the directories of its files.
func begin(t *testing.T, dir string, s *set) *host {
	t.Helper()
	h := mustOpen(t, dir, s)
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range s.m.Files {
		if err := h.MkdirAll(path.Dir(s.m.Files[i].Name)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// A restore keeps the directories of its files open. If another process moves one away, files would get their names
// elsewhere, and the set under the target's name would lack them. The restore must not report it complete.
func TestMovedSubdirectoryIsNoCompleteSet(t *testing.T) {
	t.Parallel()
	for what, putInPlace := range map[string]func(dir, moved string) error{
		"nothing is in its place":               func(string, string) error { return nil },
		"an empty directory is in its place":    func(dir, _ string) error { return os.Mkdir(dir, 0o700) },
		"a link to the moved one is its place":  func(dir, moved string) error { return os.Symlink(moved, dir) },
		"a link within the target is its place": func(dir, _ string) error { return os.Symlink("other", dir) },
	} {
		s := newSet(1, map[string][]byte{
			"data001/a.jdb": []byte("a"), "data001/b.jdb": []byte("bb"), "other/c.jdb": []byte("c"),
		})
		top := t.TempDir()
		dir, moved := filepath.Join(top, "db"), filepath.Join(top, "moved")
		h := begin(t, dir, s)
		if err := h.write("data001/a.jdb", nil); err != nil {
			t.Fatal(err)
		}
		sub := filepath.Join(dir+PartialSuffix, "data001")
		if err := errors.Join(os.Rename(sub, moved), putInPlace(sub, moved)); err != nil {
			t.Fatal(err)
		}
		if err := h.end(); err == nil {
			t.Errorf("%s: the restore reports a complete set", what)
		}
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the set has its name: %v", what, err)
		}
	}
}

// A set may have more directories than a restore keeps open, also one within the other.
func TestMoreSubdirectoriesThanAreKeptOpen(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"top.jdb": []byte("top")}
	for i := range maxSubdirs + 10 {
		files[fmt.Sprintf("%03d/%08x.jdb", i, i)] = fmt.Appendf(nil, "file %d", i)
		files[fmt.Sprintf("%03d/below/%08x.jdb", i, i)] = fmt.Appendf(nil, "below %d", i)
	}
	s := newSet(1, files)
	dir := filepath.Join(t.TempDir(), "db")
	h := begin(t, dir, s)
	for name := range files {
		if err := h.write(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if open := len(h.below.open); open != maxSubdirs {
		t.Errorf("%d directories are open, want %d", open, maxSubdirs)
	}
	if err := h.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
