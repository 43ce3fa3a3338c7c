package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/disk"
)

// An onChange calls before each operation, and where that fails, the operation does.
type onChange struct{ before func(op *disk.Op) error }

func (c *onChange) Change(op *disk.Op, do func() error) error {
	if err := c.before(op); err != nil {
		return err
	}
	return do()
}

// When every file is restored, the disk may be full, and the name of the directory as long as it
// can be. The remaining steps take no space and no longer name, or the same command would fail at
// its end each time.
func TestEndOfARestoreTakesNothingMore(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	for what, at := range map[string]string{
		"a full disk": "r", "a long name": strings.Repeat("r", 255-len(archive.PartialSuffix)),
	} {
		t.Run(what, func(t *testing.T) {
			parent := t.TempDir()
			full := &onChange{func(op *disk.Op) error {
				if op.Kind == disk.Open && op.Flag&os.O_CREATE != 0 && filepath.Dir(op.Path) == parent {
					return unix.ENOSPC
				}
				return nil
			}}
			defer disk.Observe(parent, full)()
			mustRestore(t, a, 1, filepath.Join(parent, at), db.files)
			compareNames(t, parent, at)
		})
	}
}

// Another file in the place of the file beside a new directory is the user's.
func TestOtherFileInThePlaceOfTheOneBeside(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 3)
	beside := "r" + archive.CompleteSuffix
	for what, lay := range map[string]func(parent string){
		"a file":      func(parent string) { write(t, parent, beside, "mine") },
		"a directory": func(parent string) { mkdir(t, parent, beside, "mine") },
	} {
		parent := t.TempDir()
		lay(parent)
		before := tree(t, parent)
		for range 2 {
			mustRestore(t, a, 1, filepath.Join(parent, "r"), db.files)
		}
		if err := os.RemoveAll(filepath.Join(parent, "r")); err != nil {
			t.Fatal(err)
		}
		unchanged(t, parent, before)
		if t.Failed() {
			t.Fatal(what)
		}
	}
}

// The file beside a new directory identifies another restore that is still running. A restore that
// is refused, or that runs beside another one, leaves it there.
func TestFileBesideStays(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 3)
	m := newest(t, a)
	for what, k := range map[string]struct {
		name, content string // in the directory
		isPartial     bool   // a new directory is being made
		err           error
	}{
		"refused":          {name: "notes", content: "mine", err: archive.ErrOccupied},
		"beside a new one": {isPartial: true},
	} {
		parent := t.TempDir()
		dir := mkdir(t, parent, "r")
		if k.name != "" {
			write(t, dir, k.name, k.content)
		}
		if k.isPartial {
			mkdir(t, dir+archive.PartialSuffix)
		}
		write(t, parent, "r"+archive.CompleteSuffix, `{"archive":"x","sequence":1}`)
		for range 2 { // the second finds all of it there
			if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); !errors.Is(err, k.err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if !exists(parent, "r"+archive.CompleteSuffix) {
			t.Errorf("%s: it has gone", what)
		}
	}
}

// If a temporary file has gone, the error names the cause once.
func TestTemporaryFileHasGone(t *testing.T) {
	t.Parallel()
	_, _, a := archived(t, 3)
	m := newest(t, a)
	for _, of := range []string{archive.IncompleteMarker, name(0)} {
		dir := t.TempDir()
		gone := &onChange{func(op *disk.Op) error {
			if op.Kind == disk.Rename && filepath.Base(op.To) == of {
				return os.Remove(op.Path)
			}
			return nil
		}}
		stop := disk.Observe(dir, gone)
		_, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{})
		stop()
		if err == nil || strings.Count(err.Error(), "no such file") != 1 {
			t.Errorf("%s: %v", of, err)
		}
	}
}

// compareNames compares the names in a directory.
func compareNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, "/") != strings.Join(want, "/") {
		t.Errorf("%q lie there, want %q", names, want)
	}
}
