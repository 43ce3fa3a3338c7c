package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newDir makes a directory with files in it and opens it.
func newDir(t testing.TB, o LayoutOptions, names ...string) *Directory {
	t.Helper()
	dir := t.TempDir()
	fill(t, dir, names...)
	d, err := Open(dir, mustLayout(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// opaqueJE is the layout of files with the names of JE and any content.
var opaqueJE = LayoutOptions{Name: "je", NoEntries: true}

// jdb returns the names of JE log files.
func jdb(numbers ...int) []string {
	var names []string
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("%08x.jdb", n))
	}
	return names
}

// capture captures the wanted files, and closes at the end of the test.
func capture(t testing.TB, d *Directory, want func(File) bool) *Capture {
	t.Helper()
	c, err := d.Capture(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// set writes a capture's files as one line: their names, with a + after a tail's.
func set(c *Capture) string {
	var names []string
	for _, f := range c.Files {
		name := strings.TrimSuffix(f.Name, ".jdb")
		if f.State == Tail {
			name += "+"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func remove(t testing.TB, d *Directory, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(d.at(name)); err != nil {
			t.Error(err)
		}
	}
}

func appendTo(t testing.TB, d *Directory, name, text string) {
	t.Helper()
	f, err := os.OpenFile(d.at(name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

func read(t testing.TB, c *Capture, name string) string {
	t.Helper()
	content, err := c.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	b, err := io.ReadAll(io.NewSectionReader(content, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	if err := content.Unchanged(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// on runs f when a capture has done step for the nth time, from 1.
func (d *Directory) on(s step, n int, f func()) {
	before := d.hooks.after
	d.hooks.after = func(did step) {
		before(did)
		if did == s {
			if n--; n == 0 {
				f()
			}
		}
	}
}

func TestCaptureLayouts(t *testing.T) {
	t.Parallel()
	everything := append(jdb(0, 1, 10), "data001/00000009.jdb", "data002/0000000c.jdb", "other/0000000f.jdb",
		"00000003.ndb", "00000004.ndb", "log.0000000001", "log.0000000002", "a/000.log", "a/001.log", "b/007.log", "je.lck", "000.log", "x.log")
	for _, test := range []struct {
		options LayoutOptions
		want    string
		ignored string
	}{
		{opaqueJE, "00000000 00000001 0000000a data001/00000009 data002/0000000c+", ""},
		{LayoutOptions{Name: "je", NoTail: true, NoEntries: true}, "00000000 00000001 0000000a data001/00000009", "data002/0000000c.jdb"},
		{LayoutOptions{Name: "noxu", NoEntries: true}, "00000003.ndb 00000004.ndb+", ""},
		{LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002"},
		{LayoutOptions{Name: "segments", Pattern: `[^/]*/(\d+)\.log`}, "a/000.log", "a/001.log b/007.log"},
		{LayoutOptions{Name: "segments", Pattern: `(.*)\.log`}, "", "000.log x.log"},
		{LayoutOptions{Name: "files", Pattern: `.*\.log`, Quiet: 1}, "000.log x.log", ""},
		{LayoutOptions{Name: "files", Pattern: `(.*/)?.*\.log`, Quiet: 1}, "000.log a/000.log a/001.log b/007.log x.log", ""},
		{LayoutOptions{Name: "files", Pattern: `.*\.log`}, "", "000.log x.log"},
	} {
		c := capture(t, newDir(t, test.options, everything...), nil)
		var ignored []string
		for _, i := range c.Ignored {
			ignored = append(ignored, i.Name)
			if i.Why == "" {
				t.Errorf("%+v: %s is ignored for no reason", test.options, i.Name)
			}
		}
		if set(c) != test.want || strings.Join(ignored, " ") != test.ignored {
			t.Errorf("%+v: captured %s, ignored %s; want %s, %s", test.options, set(c), ignored, test.want, test.ignored)
		}
		for _, f := range c.Files {
			if got := read(t, c, f.Name); got != f.Name || f.Size != int64(len(got)) || f.Modified.Location() != time.UTC {
				t.Errorf("%+v holds %q", f, got)
			}
		}
	}
}

func TestCaptureOfMissingDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	if _, err := Open(dir, mustLayout(t, opaqueJE)); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open: %v", err)
	}
	fill(t, dir, jdb(0)...)
	if _, err := Open(filepath.Join(dir, jdb(0)[0]), mustLayout(t, opaqueJE)); !errors.Is(err, ErrMissing) {
		t.Errorf("Open of a file: %v", err)
	}
	d, err := Open(dir, mustLayout(t, opaqueJE))
	if err != nil {
		t.Fatal(err)
	}
	d.on(pinned, 1, func() { os.RemoveAll(dir) })
	for range 2 {
		if _, err := d.Capture(t.Context(), nil); !errors.Is(err, ErrMissing) {
			t.Errorf("Capture: %v", err)
		}
	}
	os.Mkdir(dir, 0o755)
	if c := capture(t, d, nil); len(c.Files) != 0 {
		t.Errorf("the empty directory holds %v", c.Files)
	}
	if _, err := Open(dir, Layout{}); err == nil {
		t.Error("Open took no layout for one")
	}
}

func TestCaptureUnderChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(t *testing.T, d *Directory)
		want   string
		rounds int
		unread bool // the caller wants none of the closed files
	}{
		{name: "nothing happens", change: func(t *testing.T, d *Directory) {}, want: "00000000 00000001 00000002+", rounds: 1},
		{
			name:   "an opened file vanishes",
			change: func(t *testing.T, d *Directory) { d.on(pinned, 1, func() { remove(t, d, jdb(0)...) }) },
			want:   "00000000 00000001 00000002+", rounds: 1,
		},
		{
			name:   "a file vanishes before it is opened",
			change: func(t *testing.T, d *Directory) { d.on(listed, 1, func() { remove(t, d, jdb(0)...) }) },
			want:   "00000001 00000002+", rounds: 2,
		},
		{
			name:   "a file that is not wanted vanishes",
			change: func(t *testing.T, d *Directory) { d.on(pinned, 1, func() { remove(t, d, jdb(0)...) }) },
			want:   "00000001 00000002+", rounds: 2, unread: true,
		},
		{
			name:   "the log goes on in a new file",
			change: func(t *testing.T, d *Directory) { d.on(pinned, 1, func() { fill(t, d.path, jdb(3)...) }) },
			want:   "00000000 00000001 00000002 00000003+", rounds: 2,
		},
		{
			name: "two new files, one after the other",
			change: func(t *testing.T, d *Directory) {
				d.on(pinned, 1, func() { fill(t, d.path, jdb(3)...) })
				d.on(pinned, 2, func() { fill(t, d.path, jdb(4)...) })
			},
			want: "00000000 00000001 00000002 00000003 00000004+", rounds: 3,
		},
		{
			// 0 and 3 were never there together.
			name: "a new file, after an opened one vanished",
			change: func(t *testing.T, d *Directory) {
				d.on(pinned, 1, func() { remove(t, d, jdb(0)...); fill(t, d.path, jdb(3)...) })
			},
			want: "00000001 00000002 00000003+", rounds: 2,
		},
		{
			name: "a file opened in the first round vanishes in the second",
			change: func(t *testing.T, d *Directory) {
				d.on(pinned, 1, func() { fill(t, d.path, jdb(3)...) })
				d.on(pinned, 2, func() { remove(t, d, jdb(0)...) })
			},
			want: "00000001 00000002 00000003+", rounds: 3,
		},
		{
			name:   "a new file begins after the second listing",
			change: func(t *testing.T, d *Directory) { d.on(listedAgain, 1, func() { fill(t, d.path, jdb(3)...) }) },
			want:   "00000000 00000001 00000002+", rounds: 1,
		},
		{
			name: "a closed file is replaced before it is opened",
			change: func(t *testing.T, d *Directory) {
				d.on(listed, 1, func() {
					fill(t, d.path, "new")
					os.Rename(d.at("new"), d.at(jdb(0)[0]))
				})
			},
			want: "00000000 00000001 00000002+", rounds: 2,
		},
		{
			name:   "the newest file is taken back",
			change: func(t *testing.T, d *Directory) { d.on(pinned, 1, func() { remove(t, d, jdb(2)...) }) },
			want:   "00000000 00000001+", rounds: 2,
		},
		{
			name: "the tail is cut after the second listing",
			change: func(t *testing.T, d *Directory) {
				d.on(listedAgain, 1, func() { os.Truncate(d.at(jdb(2)[0]), 3) })
			},
			want: "00000000 00000001 00000002+", rounds: 2,
		},
		{
			name: "other files come and go",
			change: func(t *testing.T, d *Directory) {
				d.on(listed, 1, func() { fill(t, d.path, "je.info.1", "data9/00000009.jdb") })
			},
			want: "00000000 00000001 00000002+", rounds: 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDir(t, opaqueJE, jdb(0, 1, 2)...)
			rounds := 0
			d.hooks.after = func(s step) {
				if s == listed {
					rounds++
				}
			}
			test.change(t, d)
			c := capture(t, d, func(f File) bool { return !test.unread })
			if set(c) != test.want || rounds != test.rounds {
				t.Errorf("captured %s in %d rounds, want %s in %d", set(c), rounds, test.want, test.rounds)
			}
			for _, f := range c.Files {
				if !test.unread {
					read(t, c, f.Name)
				}
			}
		})
	}
}

// The capture of a directory that keeps changing fails, with the last file that moved.
func TestCaptureIsBounded(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(d *Directory, n int){
		"from tail to closed": func(d *Directory, n int) { fill(t, d.path, jdb(n+1)...) },
		"was deleted":         func(d *Directory, n int) { remove(t, d, jdb(n)...); fill(t, d.path, jdb(n+1)...) },
	} {
		d := newDir(t, opaqueJE, jdb(0, 1)...)
		n := 1
		d.hooks.after = func(s step) {
			if s == listed {
				change(d, n)
				n++
			}
		}
		_, err := d.Capture(t.Context(), nil)
		if !errors.Is(err, ErrVanished) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), ".jdb") || n != maxRounds+1 {
			t.Errorf("after %d rounds: %v", n-1, err)
		}
	}
}

func TestCaptureEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	d.on(pinned, 1, func() { cancel(why) })
	if _, err := d.Capture(ctx, nil); err != why {
		t.Errorf("Capture: %v", err)
	}
}

// The tail covers what was written until the very end; a file that is closed does not
// wait for it.
func TestTailIsMeasuredLast(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	d.on(listed, 1, func() { appendTo(t, d, jdb(1)[0], "-a") })
	d.on(pinned, 1, func() { appendTo(t, d, jdb(1)[0], "-b") })
	d.on(listedAgain, 1, func() { appendTo(t, d, jdb(1)[0], "-c") })
	c := capture(t, d, nil)
	appendTo(t, d, jdb(1)[0], "-d") // does not belong to it
	if got, want := read(t, c, jdb(1)[0]), jdb(1)[0]+"-a-b-c"; got != want || c.Files[1].Size != int64(len(want)) {
		t.Errorf("the tail is %q, %d bytes; want %q", got, c.Files[1].Size, want)
	}
	if c.At.After(time.Now()) || c.At.Location() != time.UTC {
		t.Errorf("At = %v", c.At)
	}
}

// want is called once for each version of a closed file, and never for a tail.
func TestWantIsAskedOnce(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2)...)
	d.on(pinned, 1, func() { fill(t, d.path, jdb(3)...) })
	d.on(pinned, 2, func() { appendTo(t, d, jdb(1)[0], "!"); fill(t, d.path, jdb(4)...) })
	var asked []string
	c := capture(t, d, func(f File) bool {
		asked = append(asked, fmt.Sprintf("%s %v %d", f.Name, f.State, f.Size))
		return f.Name == jdb(1)[0]
	})
	want := "00000000.jdb closed 12, 00000001.jdb closed 12, 00000002.jdb closed 12, 00000001.jdb closed 13, 00000003.jdb closed 12"
	if got := strings.Join(asked, ", "); got != want {
		t.Errorf("called for %s\nwant %s", got, want)
	}
	for i, pinned := range []bool{false, true, false, false, true} {
		if (c.held[i].pin != nil) != pinned {
			t.Errorf("%s is pinned: %v", c.Files[i].Name, !pinned)
		}
	}
}

// Without a tail, a name that appears during a capture changes the state of no other file. It
// causes another round all the same. A directory is not read at one instant, so the new file may be
// older than those of the first listing, and a set without it would have a hole.
func TestCaptureTakesANameThatAppeared(t *testing.T) {
	t.Parallel()
	for what, appeared := range map[string]int{"the newest": 4, "one in the middle": 2} {
		d := newDir(t, LayoutOptions{Name: "je", NoEntries: true, NoTail: true}, jdb(0, 1, 3)...)
		d.on(pinned, 1, func() { fill(t, d.path, jdb(appeared)...) })
		c := capture(t, d, nil)
		want := map[int]string{4: "00000000 00000001 00000003", 2: "00000000 00000001 00000002"}[appeared]
		if set(c) != want {
			t.Errorf("%s: captured %s, want %s", what, set(c), want)
		}
	}
}
