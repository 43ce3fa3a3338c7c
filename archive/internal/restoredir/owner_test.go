package restoredir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// Another user owns or may write the partial directory, the marker or a temporary file: that user could change what is
// restored, or choose what the restore removes.
func TestOthersMayNotChangeWhatARestoreReliesOn(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	for what, prepare := range map[string]func(dir string) error{
		"a partial directory that others may write": func(dir string) error {
			return errors.Join(os.Mkdir(dir+PartialSuffix, 0o755), os.Chmod(dir+PartialSuffix, 0o777))
		},
		"a partial directory of a group": func(dir string) error {
			return errors.Join(os.Mkdir(dir+PartialSuffix, 0o755), os.Chmod(dir+PartialSuffix, 0o770))
		},
		"a partial directory of another user": func(dir string) error {
			return errors.Join(os.Mkdir(dir+PartialSuffix, 0o755), chown(dir+PartialSuffix))
		},
		"a marker of another user": func(dir string) error { return makeIn(dir, IncompleteMarker, chown) },
		"a marker that others may write": func(dir string) error {
			return makeIn(dir, IncompleteMarker, func(path string) error { return os.Chmod(path, 0o666) })
		},
		"a temporary file of another user": func(dir string) error {
			return makeIn(dir, ".strongroom-0123456789abcdef.tmp", chown)
		},
		"a temporary file that others may write": func(dir string) error {
			return makeIn(dir, ".strongroom-0123456789abcdef.tmp", func(path string) error { return os.Chmod(path, 0o622) })
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "db")
			if err := prepare(dir); errors.Is(err, os.ErrPermission) {
				t.Skip("only root gives a file to another user")
			} else if err != nil {
				t.Fatal(err)
			}
			_, err := Preview(t.Context(), dir, one.m, one.m.Files, Options{})
			if !errors.Is(err, ErrOccupied) {
				t.Errorf("a dry run: %v", err)
			}
			h, err := open(t, dir, one)
			if err == nil {
				err = h.Begin(t.Context())
			}
			if !errors.Is(err, ErrOccupied) {
				t.Error(err)
			}
		})
	}
}

// makeIn makes a file in an existing directory, and changes it.
func makeIn(dir, name string, change func(path string) error) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(path, nil, 0o600), change(path))
}

func chown(path string) error { return os.Chown(path, 12345, 12345) }

// A restore's own files are accepted, as they were made: the same command continues after a kill.
func TestOwnFilesAreAccepted(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	targets(t, func(t *testing.T, dir string) {
		for range 2 {
			h := mustOpen(t, dir, one)
			if err := h.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := h.write("00000000.jdb", nil); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(h.work, newTemp(".")), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			h.Close()
		}
		h := mustOpen(t, dir, one)
		if err := h.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.end(); err != nil || !one.holds(dir) {
			t.Fatal(err)
		}
	})
}

// A file system may give each file the same owner and mode, as one of Windows does, or a server may change root's. What
// a new file there looks like is then right.
func TestFileSystemWithoutOwners(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	h := mustOpen(t, t.TempDir(), one)
	if err := os.WriteFile(filepath.Join(h.work, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(h.work, "x")
	if err := chown(other); err != nil {
		t.Skip("only root gives a file to another user")
	}
	info, err := os.Lstat(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.checkOwner(other, info); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v", err)
	}
	if err := checkOwner(other, info, func(bool) (os.FileInfo, error) { return info, nil }); err != nil {
		t.Error(err)
	}
}

// A full disk has no room for the new file that shows which owner files get here. The restore still refuses what
// others may write, and says so.
func TestOthersMayNotWriteOnAFullDisk(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := filepath.Join(t.TempDir(), "db")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := mustOpen(t, dir, one)
	path := filepath.Join(dir, "00000000.jdb")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Observe(dir, &bare{map[disk.Kind]error{disk.Open: unix.ENOSPC, disk.Mkdir: unix.ENOSPC}})()
	h.root.Close()
	if h.root, err = disk.OpenRoot(dir); err != nil {
		t.Fatal(err)
	}
	if err := h.checkOwner(path, info); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v, want ErrOccupied", err)
	}
}
