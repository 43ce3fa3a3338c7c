package source

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Two identities prove something only as far as the file system reports what distinguishes
// directories: many roots have the same inode number.
func TestDirIDs(t *testing.T) {
	t.Parallel()
	known := DirID{FS: 7, Inode: 2, Born: 100}
	for name, test := range map[string]struct {
		a, b          DirID
		same, differs bool
	}{
		"one directory":                    {known, known, true, false},
		"nothing is known":                 {DirID{}, DirID{}, false, false},
		"one is not known":                 {known, DirID{}, false, false},
		"inodes alone":                     {DirID{Inode: 2}, DirID{Inode: 2}, false, false},
		"other inode":                      {known, DirID{FS: 7, Inode: 3, Born: 100}, false, true},
		"made at another time":             {known, DirID{FS: 7, Inode: 2, Born: 101}, false, true},
		"other file system, no birth time": {DirID{FS: 7, Inode: 2}, DirID{FS: 8, Inode: 2}, false, true},
		"the disk got another number":      {known, DirID{FS: 8, Inode: 2, Born: 100}, false, false},
		"no birth time":                    {DirID{FS: 7, Inode: 2}, DirID{FS: 7, Inode: 2}, true, false},
	} {
		if same, differs := test.a.Same(test.b), test.a.Differs(test.b); same != test.same || differs != test.differs {
			t.Errorf("%s: same %v, differs %v", name, same, differs)
		}
	}
}

// A capture identifies the source and each directory that log files may lie in, also one that
// is empty: an unmounted disk leaves such a one.
func TestCaptureIdentifiesDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"data001", "data002", "other"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "data001", "00000000.jdb"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	first := dirsOf(t, dir)
	if len(first) != 3 || first[""].Inode == 0 || first["data001"] == first["data002"] {
		t.Fatalf("%+v", first)
	}
	if again := dirsOf(t, dir); again["data002"] != first["data002"] || again[""] != first[""] {
		t.Errorf("%+v, and before %+v", again, first)
	}
	if err := os.Rename(filepath.Join(dir, "data002"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data002"), 0o755); err != nil {
		t.Fatal(err)
	}
	if replaced := dirsOf(t, dir); !replaced["data002"].Differs(first["data002"]) {
		t.Errorf("another directory has the identity %+v", replaced["data002"])
	}
}

// captureJE captures a directory of JE's layout until the test ends.
func captureJE(t *testing.T, dir string) *Capture {
	t.Helper()
	layout, err := NewLayout(LayoutOptions{Name: "je", NoEntries: true})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Capture(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dirsOf(t *testing.T, dir string) map[string]DirID {
	t.Helper()
	c := captureJE(t, dir)
	if shared := c.Share(2); shared[1].Dirs[""] != c.Dirs[""] {
		t.Errorf("a shared capture has %+v", shared[1].Dirs)
	}
	return c.Dirs
}

// A check of a file before it is read does not drop it: a cleaner may delete it between.
func TestPeekKeepsWhatWasWanted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"00000000.jdb", "00000001.jdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := captureJE(t, dir)
	if err := os.Remove(filepath.Join(dir, "00000000.jdb")); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(string) (Content, error){c.Peek, c.Peek, c.Open} {
		content, err := open("00000000.jdb")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(io.NewSectionReader(content, 0, 100)); string(b) != "content" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		content.Close()
	}
	if _, err := c.Peek("00000000.jdb"); err == nil {
		t.Error("the file is held although it was read")
	}
}

// DirState compares an empty data directory, too: a disk that is mounted over it changes nothing
// above it.
func TestGlanceSeesEmptyDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layout, err := NewLayout(LayoutOptions{Name: "je", NoEntries: true})
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"data001", "data002"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	d.hooks.now = func() time.Time { return time.Now().Add(time.Hour) } // the directories are old enough
	c, err := d.Capture(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	g := d.State(c)
	if !g.Unchanged() {
		t.Fatal("nothing has changed, and DirState reports a change")
	}
	if err := os.Chtimes(filepath.Join(dir, "data002"), old, old); err != nil {
		t.Fatal(err)
	}
	if g.Unchanged() {
		t.Error("DirState does not notice an empty directory")
	}
}

// Names of files that are nowhere are made from their numbers, for messages.
func TestBaseNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		o    LayoutOptions
		want string
	}{
		{LayoutOptions{Name: "je"}, "0000002a.jdb"},
		{LayoutOptions{Name: "noxu"}, "0000002a.ndb"},
		{LayoutOptions{Name: "bdb"}, "log.0000000042"},
		{LayoutOptions{Name: "segments", Pattern: `([0-9]+)\.wal`}, ""},
	} {
		l, err := NewLayout(test.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.BaseName(42); got != test.want {
			t.Errorf("%s: %q", test.o.Name, got)
		}
	}
}
