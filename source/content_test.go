package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func open(t testing.TB, c *Capture, name string) Content {
	t.Helper()
	content, err := c.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { content.Close() })
	return content
}

func TestPinnedContentSurvivesUnlink(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	c := capture(t, d, nil)
	remove(t, d, jdb(0, 1)...)
	for _, name := range jdb(0, 1) {
		a, b := open(t, c, name), open(t, c, name) // as often as one likes, while it is held
		a.Close()
		got, err := io.ReadAll(io.NewSectionReader(b, 0, 100))
		if err != nil || string(got) != name || b.Unchanged() != nil {
			t.Errorf("%s: %q, %v, %v", name, got, err, b.Unchanged())
		}
		if _, err := a.ReadAt(got, 0); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed Content reads: %v", err)
		}
		b.Close()
		if _, err := c.Open(name); !errors.Is(err, ErrVanished) {
			t.Errorf("after the last Close: %v", err)
		}
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		do             func(t *testing.T, d *Directory, name string)
		closed, opened bool // still unchanged as a closed file, as a tail
	}{
		{"nothing", func(t *testing.T, d *Directory, name string) {}, true, true},
		{"unlinked", func(t *testing.T, d *Directory, name string) { remove(t, d, name) }, true, true},
		{"linked", func(t *testing.T, d *Directory, name string) { os.Link(d.at(name), d.at("link")) }, true, true},
		{"grown", func(t *testing.T, d *Directory, name string) { appendTo(t, d, name, "x") }, false, true},
		{"shorter", func(t *testing.T, d *Directory, name string) { os.Truncate(d.at(name), 5) }, false, false},
		{"overwritten", func(t *testing.T, d *Directory, name string) { overwrite(t, d.at(name)) }, false, true},
		{"overwritten, its time put back", func(t *testing.T, d *Directory, name string) {
			info, _ := os.Stat(d.at(name))
			overwrite(t, d.at(name))
			os.Chtimes(d.at(name), time.Time{}, info.ModTime())
		}, false, true},
		{"overwritten, then unlinked", func(t *testing.T, d *Directory, name string) {
			overwrite(t, d.at(name))
			remove(t, d, name)
		}, false, true},
	} {
		d := newDir(t, opaqueJE, jdb(0, 1)...)
		for _, name := range jdb(0, 1) {
			past := time.Now().Add(-time.Hour) // the file system's clock ticks slowly
			os.Chtimes(d.at(name), past, past)
		}
		c := capture(t, d, nil)
		for i, good := range []bool{test.closed, test.opened} {
			name := jdb(0, 1)[i]
			content := open(t, c, name)
			waitForTick(t)
			test.do(t, d, name)
			err := content.Unchanged()
			if (err == nil) != good || (err != nil && !errors.Is(err, ErrChanged)) {
				t.Errorf("%s, %v: Unchanged() = %v", test.name, c.Files[i].State, err)
			}
		}
	}
}

func overwrite(t testing.TB, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("X"), 3)
		f.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// waitForTick returns when the file system's clock has moved on.
func waitForTick(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	var first time.Time
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		fill(t, dir, "tick")
		info, err := os.Stat(dir + "/tick")
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = info.ModTime()
		}
		if info.ModTime().After(first) {
			return
		}
	}
	t.Fatal("the file system's clock does not move")
}

func TestReadAtEndsAtTheCapturedSize(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	c := capture(t, d, nil)
	content := open(t, c, jdb(1)[0]) // 12 bytes
	appendTo(t, d, jdb(1)[0], "more")
	for _, test := range []struct {
		off  int64
		len  int
		want string
		err  error
	}{
		{0, 12, "00000001.jdb", nil},
		{0, 13, "00000001.jdb", io.EOF},
		{9, 100, "jdb", io.EOF},
		{11, 1, "b", nil},
		{12, 1, "", io.EOF},
		{1 << 62, 1, "", io.EOF},
		{3, 0, "", nil},
	} {
		p := make([]byte, test.len)
		n, err := content.ReadAt(p, test.off)
		if string(p[:n]) != test.want || err != test.err {
			t.Errorf("ReadAt(%d bytes, %d) = %q, %v; want %q, %v", test.len, test.off, p[:n], err, test.want, test.err)
		}
	}
	if _, err := content.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt before the beginning: %v", err)
	}
	os.Truncate(d.at(jdb(1)[0]), 5)
	n, err := content.ReadAt(make([]byte, 12), 0)
	if n != 5 || !errors.Is(err, ErrChanged) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		t.Errorf("of a file that became shorter: %d, %v", n, err)
	}
}

// ReadAt does the same as on the captured bytes alone.
func TestReadAtLikeBytes(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	c := capture(t, d, nil)
	content := open(t, c, jdb(1)[0])
	appendTo(t, d, jdb(1)[0], "more")
	want := bytes.NewReader([]byte(jdb(1)[0]))
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.Int64Range(0, 20).Draw(t, "off")
		p := make([]byte, rapid.IntRange(1, 20).Draw(t, "len"))
		q := make([]byte, len(p))
		n, err := content.ReadAt(p, off)
		m, wantErr := want.ReadAt(q, off)
		if n != m || err != wantErr || !bytes.Equal(p, q) {
			t.Fatalf("%d, %v, %q; want %d, %v, %q", n, err, p, m, wantErr, q)
		}
	})
}

// Files that were not pinned are opened by name, and only if they are still the same.
func TestOpenOnDemand(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2, 3, 4, 5)...)
	c := capture(t, d, func(File) bool { return false })
	waitForTick(t)
	remove(t, d, jdb(1)...)
	overwrite(t, d.at(jdb(2)[0]))
	fill(t, d.path, "new")
	os.Rename(d.at("new"), d.at(jdb(3)[0]))
	os.Link(d.at(jdb(4)[0]), d.at("link"))
	for i, want := range []error{nil, ErrVanished, ErrChanged, ErrChanged, nil, nil} {
		content, err := c.Open(jdb(i)[0])
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", jdb(i)[0], err, want)
		}
		if err == nil {
			content.Close()
		}
	}
	if _, err := c.Open("other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of what is not in the capture: %v", err)
	}
	appendTo(t, d, jdb(5)[0], "more")
	if got := read(t, c, jdb(5)[0]); got != jdb(5)[0] {
		t.Errorf("the tail, opened again, is %q", got)
	}
}

func TestCaptureClose(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2)...)
	c := capture(t, d, nil)
	content := open(t, c, jdb(0)[0])
	remove(t, d, jdb(0, 1, 2)...)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for i := range c.held {
		if held := c.held[i].pin != nil; held != (i == 0) {
			t.Errorf("%s is held: %v", c.Files[i].Name, held)
		}
	}
	if _, err := c.Open(jdb(0)[0]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	if _, err := content.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("a Content that was open: %v", err)
	}
	content.Close()
	if content.Close() != nil || c.held[0].pin != nil {
		t.Error("it is still held")
	}
}

type text struct{ *strings.Reader }

func (text) Close() error     { return nil }
func (text) Unchanged() error { return nil }

func TestNewCapture(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 1, 0, 0, 0, time.FixedZone("", 3600))
	files := []File{{Name: "b", Size: 1}, {Name: "a", Size: 1}, {Name: "B", Size: 1}}
	c := NewCapture(files, at, func(f File) (Content, error) { return text{strings.NewReader(f.Name)}, nil })
	if set(c) != "B a b" || files[0].Name != "b" || c.At.Location() != time.UTC || !c.At.Equal(at) {
		t.Errorf("%v at %v, from %v", c.Files, c.At, files)
	}
	if got := read(t, c, "a"); got != "a" {
		t.Errorf("a holds %q", got)
	}
	if _, err := c.Open("c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Open("a"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
}

// Contents are opened, read and closed from many goroutines, and the capture closed
// among them; run with -race.
func TestCaptureIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2, 3)...)
	c := capture(t, d, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				content, err := c.Open(jdb(j % 4)[0])
				if errors.Is(err, os.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				p := make([]byte, 12)
				if _, err := content.ReadAt(p, 0); err != nil || string(p) != jdb(j % 4)[0] || content.Unchanged() != nil {
					t.Errorf("%q, %v", p, err)
				}
				content.Close()
				if i == 0 && j == 40 {
					c.Close()
				}
			}
		})
	}
	wg.Wait()
}
