package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, test := range []struct {
		modified, now time.Duration // relative to the files' making
		closed        bool
	}{
		{-61 * time.Second, 0, true},
		{-60 * time.Second, 0, true},
		{-59 * time.Second, 0, false},
		{0, 0, false},
		{0, time.Hour, true},
		{24 * time.Hour, 0, false},          // a wrong mtime, changed just now
		{24 * time.Hour, time.Hour, true},   // a wrong mtime, left alone for an hour
		{0, -time.Hour, false},              // the clock was turned back
		{-24 * time.Hour, -time.Hour, true}, // the same, but long untouched
	} {
		d := newDir(t, LayoutOptions{Name: "files", Pattern: `.*`}, "a")
		at := now.Add(test.modified)
		if err := os.Chtimes(d.at("a"), at, at); err != nil {
			t.Fatal(err)
		}
		d.hooks.now = func() time.Time { return now.Add(test.now) }
		if c := capture(t, d, nil); (len(c.Files) == 1) != test.closed || len(c.Files)+len(c.Ignored) != 1 {
			t.Errorf("modified %v, read at %v: captured %v, ignored %v", test.modified, test.now, c.Files, c.Ignored)
		}
	}
}

func TestLinksAndOddFiles(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2)...)
	disk := t.TempDir()
	fill(t, disk, "moved", "00000005.jdb")
	os.Symlink(filepath.Join(disk, "moved"), d.at(jdb(3)[0]))
	os.Symlink(disk, d.at("data001"))
	os.Mkdir(d.at(jdb(4)[0]), 0o755)
	c := capture(t, d, nil)
	if set(c) != "00000000 00000001 00000002 00000003 data001/00000005+" || len(c.Ignored) != 1 || c.Ignored[0].Name != jdb(4)[0] {
		t.Errorf("captured %s, ignored %v", set(c), c.Ignored)
	}
	if got := read(t, c, jdb(3)[0]); got != "moved" {
		t.Errorf("behind the link is %q", got)
	}
	os.Remove(filepath.Join(disk, "moved")) // as if the disk were not mounted
	if _, err := d.Capture(t.Context(), nil); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), jdb(3)[0]) {
		t.Errorf("with a link to nothing: %v", err)
	}
	os.Remove(d.at(jdb(3)[0]))
	os.RemoveAll(disk)
	if _, err := d.Capture(t.Context(), nil); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "data001") {
		t.Errorf("with a data directory that is not mounted: %v", err)
	}
}

// Names that the archive's format refuses come through as they are, for it to refuse.
func TestOddNames(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "files", Pattern: `(?s).*`, Quiet: 1}, "a\nb", `back\slash`, "\xff\xfe", "ü")
	if got := set(capture(t, d, nil)); got != "a\nb back\\slash ü \xff\xfe" {
		t.Errorf("captured %q", got)
	}
}
