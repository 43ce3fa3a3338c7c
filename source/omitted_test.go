package source

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// old sets the modification time of files to an hour ago; the change time stays young, as that of a
// hard link.
func old(t *testing.T, d *Directory, names ...string) {
	t.Helper()
	then := time.Now().Add(-time.Hour)
	for _, name := range names {
		if err := os.Chtimes(d.at(name), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// leftOut returns the names of the ignored files; a normal one has a + behind it.
func leftOut(c *Capture) string {
	var names []string
	for _, f := range c.Ignored {
		if f.Normal {
			f.Name += "+"
		}
		names = append(names, f.Name)
	}
	return fmt.Sprint(names)
}

// A database always has a file that a layout leaves out, such as the one that it writes. Any other
// file that matches and is left out must be reported. Normal marks the first kind.
func TestWhatIsNormallyLeftOut(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		layout LayoutOptions
		names  []string
		do     func(d *Directory)
		want   string
	}{
		"a checkpoint that was just made": {
			LayoutOptions{Name: "files", Pattern: `.*`, Quiet: time.Hour},
			[]string{"000008.sst", "CURRENT", "MANIFEST-000005"},
			func(d *Directory) { old(t, d, "000008.sst") }, "[CURRENT MANIFEST-000005]",
		},
		"a directory that the pattern matches": {
			LayoutOptions{Name: "files", Pattern: `.*`, NoQuiet: true},
			[]string{"appendonlydir/a.1.base.rdb", "dump.rdb"},
			func(*Directory) {}, "[appendonlydir]",
		},
		"a link to a directory below a pattern": {
			LayoutOptions{Name: "files", Pattern: `(a/)?.*\.log`, NoQuiet: true},
			[]string{"a/1.log"},
			func(d *Directory) {
				if err := os.Symlink(t.TempDir(), d.at("b")); err != nil {
					t.Error(err)
				}
			}, "[b]",
		},
		"a named pipe and a socket": {
			LayoutOptions{Name: "files", Pattern: `.*`, NoQuiet: true},
			[]string{"a"},
			func(d *Directory) {
				if err := syscall.Mkfifo(d.at("pipe"), 0o644); err != nil {
					t.Error(err)
				}
				if err := os.Symlink("/dev/null", d.at("null")); err != nil {
					t.Error(err)
				}
			}, "[null pipe]",
		},
		"a number that is none": {
			LayoutOptions{Name: "segments", Pattern: `(.*)\.wal`},
			[]string{"1.wal", "2.wal", "x.wal"},
			func(*Directory) {}, "[2.wal+ x.wal]",
		},
		"the newest of each sequence": {
			LayoutOptions{Name: "segments", Pattern: `[ab]/(\d)`},
			[]string{"a/1", "a/2", "b/7"},
			func(*Directory) {}, "[a/2+ b/7+]",
		},
		"young ones of a sequence": {
			LayoutOptions{Name: "segments", Pattern: `(\d)`, Closed: "quiet", Quiet: time.Hour},
			[]string{"1", "2", "3"},
			func(d *Directory) { old(t, d, "1") }, "[2 3+]",
		},
		"the tail that is excluded": {
			LayoutOptions{Name: "je", NoEntries: true, NoTail: true},
			jdb(1, 2),
			func(*Directory) {}, "[00000002.jdb+]",
		},
		"a log file without an entry": {
			LayoutOptions{Name: "je"},
			[]string{},
			func(d *Directory) {
				if err := os.WriteFile(d.at(jdb(1)[0]), nil, 0o644); err != nil {
					t.Error(err)
				}
				if err := os.WriteFile(d.at(jdb(2)[0]), bytes.Repeat([]byte("no header of a log file "), 9), 0o644); err != nil {
					t.Error(err)
				}
			}, "[00000001.jdb+ 00000002.jdb]",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDir(t, c.layout, c.names...)
			c.do(d)
			if got := leftOut(capture(t, d, nil)); got != c.want {
				t.Errorf("left out %s, want %s", got, c.want)
			}
		})
	}
}

// A quiet time of 0 closes every file, whatever its times are: the set was made just now, or on a
// host with another clock. It used to mean the default.
func TestQuietZeroLeavesNoFileOut(t *testing.T) {
	t.Parallel()
	for _, o := range []LayoutOptions{
		{Name: "files", Pattern: `\d`, NoQuiet: true},
		{Name: "segments", Pattern: `(\d)`, Closed: "quiet", NoQuiet: true},
	} {
		d := newDir(t, o, "1", "2", "3", "4")
		old(t, d, "1")
		future := time.Now().Add(24 * time.Hour)
		if err := os.Chtimes(d.at("2"), future, future); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, clock := range []time.Time{now, now.Add(-time.Hour)} {
			d.hooks.now = func() time.Time { return clock }
			if c := capture(t, d, nil); set(c) != "1 2 3 4" || len(c.Ignored) > 0 {
				t.Errorf("%s at %v: captured %q, left out %s", o.Name, clock, set(c), leftOut(c))
			}
		}
		if rule := d.Layout().ClosedRule(); rule != "it is there, since the quiet time is 0" {
			t.Errorf("the rule is %q", rule)
		}
	}
}

// A quiet time without effect is a mistake, and so is one beside closing each file at once.
func TestQuietZeroIsRefusedWhereItHasNoEffect(t *testing.T) {
	t.Parallel()
	for _, o := range []LayoutOptions{
		{Name: "je", NoQuiet: true},
		{Name: "segments", Pattern: `(\d)`, NoQuiet: true},
		{Name: "files", Pattern: `\d`, NoQuiet: true, Quiet: time.Second},
	} {
		if l, err := NewLayout(o); err == nil {
			t.Errorf("%+v: %+v", o, l)
		}
	}
}

// With a quiet time of 0, a file that counts as closed may still grow, which no directory shows. So
// the state of the directory must not stand for the files, or a poll would overlook that.
func TestDirStateIsUnreliableByQuiet(t *testing.T) {
	t.Parallel()
	for _, noQuiet := range []bool{true, false} {
		d := newDir(t, LayoutOptions{Name: "files", Pattern: `.*`, NoQuiet: noQuiet}, "1")
		old(t, d, "1")
		c := capture(t, d, nil)
		later := time.Now().Add(time.Hour)
		d.hooks.now = func() time.Time { return later }
		if d.State(c).Unchanged() {
			t.Errorf("NoQuiet %v: unchanged", noQuiet)
		}
	}
}
