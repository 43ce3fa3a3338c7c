package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A restore gives each file the time that the database's file had: to the nanosecond, also before 1970.
// The descriptor counts, not the name: another process may have put another file there.
func TestSetTimeOfAnOpenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := root.OpenFile("x", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	modified := func() time.Time {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	for _, want := range []time.Time{time.Unix(1_700_000_000, 123_456_789), time.Unix(0, 0), time.Unix(-5, 7)} {
		if err := root.SetTime(f, "x", want); err != nil || !modified().Equal(want) {
			t.Errorf("%v, want %v; %v", modified(), want, err)
		}
	}
	before := modified()
	if err := root.SetTime(f, "x", time.Time{}); err != nil || !modified().Equal(before) {
		t.Errorf("a zero time set %v, %v", modified(), err)
	}
}

// RenameFile takes names of the directory only, and replaces no directory: a restore gives files their names with it,
// and a name that leaves the target would overwrite a file elsewhere.
func TestRenameFileStaysInTheRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"r", "r/sub", "r/empty"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"outside", "r/a", "r/b", "r/sub/c"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "r", "link")); err != nil {
		t.Fatal(err)
	}
	root, err := OpenRoot(filepath.Join(dir, "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, to := range []string{"../outside", "..", ".", "", "empty", "sub", "missing/x"} {
		if err := root.RenameFile("a", to); err == nil {
			t.Errorf("to %q: no error", to)
		}
	}
	if err := root.RenameFile("missing", "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for _, c := range []struct{ from, to string }{{"a", "b"}, {"b", "link"}, {"sub/c", "sub/d"}} {
		if err := root.RenameFile(c.from, c.to); err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	for name, want := range map[string]string{"outside": "outside", "r/link": "r/a", "r/sub/d": "r/sub/c"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if info, err := os.Lstat(filepath.Join(dir, "r", "link")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link was not replaced: %v, %v", info, err)
	}
}
