package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustLayout(t testing.TB, o LayoutOptions) Layout {
	t.Helper()
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPosition(t *testing.T) {
	t.Parallel()
	je, noxu, bdb := LayoutOptions{Name: "je"}, LayoutOptions{Name: "noxu"}, LayoutOptions{Name: "bdb"}
	etcd := LayoutOptions{Name: "segments", Pattern: `([0-9a-f]{16})-[0-9a-f]{16}\.wal`, Base: 16}
	kafka := LayoutOptions{Name: "segments", Pattern: `[^/]+/(\d{20})\.log`}
	for _, test := range []struct {
		layout LayoutOptions
		name   string
		group  string
		number uint64
		ok     bool
	}{
		{je, "0000002a.jdb", "", 42, true},
		{je, "ffffffff.jdb", "", 1<<32 - 1, true},
		{je, "data001/0000002a.jdb", "", 42, true},
		{je, "data256/00000000.jdb", "", 0, true},
		{je, "0000002A.jdb", "", 0, false}, // JE writes lower case
		{je, "000002a.jdb", "", 0, false},
		{je, "00000002a.jdb", "", 0, false},
		{je, "0000002g.jdb", "", 0, false},
		{je, "0000002a.jdb.tmp", "", 0, false},
		{je, "0000002a.del", "", 0, false},
		{je, "0000002a.bad", "", 0, false},
		{je, "je.lck", "", 0, false},
		{je, "je.info.0", "", 0, false},
		{je, "data1/0000002a.jdb", "", 0, false},
		{je, "backup/0000002a.jdb", "", 0, false},
		{je, "data001/data002/0000002a.jdb", "", 0, false},
		{je, "data001//0000002a.jdb", "", 0, false},
		{je, "/0000002a.jdb", "", 0, false},
		{je, "", "", 0, false},
		{noxu, "0000002a.ndb", "", 42, true},
		{noxu, "data001/0000002a.ndb", "", 0, false},
		{noxu, "0000002a.jdb", "", 0, false},
		{noxu, "noxu.lck", "", 0, false},
		{bdb, "log.0000000042", "", 42, true},
		{bdb, "log.9999999999", "", 9999999999, true},
		{bdb, "log.000000002a", "", 0, false},
		{bdb, "sub/log.0000000042", "", 0, false},
		{etcd, "00000000000000ff-0000000000000001.wal", "", 255, true},
		{etcd, "x00000000000000ff-0000000000000001.wal", "", 0, false},
		{etcd, "00000000000000ff-0000000000000001.wal.broken", "", 0, false},
		{etcd, "00000000000000ff-0000000000000001.wal\n", "", 0, false},
		{kafka, "orders-0/00000000000000000099.log", "orders-0", 99, true},
		{kafka, "orders-0/18446744073709551615.log", "orders-0", 1<<64 - 1, true},
		{kafka, "orders-0/18446744073709551616.log", "", 0, false},
		{kafka, "00000000000000000099.log", "", 0, false},
		{LayoutOptions{Name: "segments", Pattern: `wal(-\d+)?`}, "wal", "", 0, false},
		{LayoutOptions{Name: "segments", Pattern: `a|b(\d)|.*`}, "b7", "", 7, true},
		{LayoutOptions{Name: "files", Pattern: `.*\.log`}, "a.log", "", 0, false},
	} {
		group, number, ok := mustLayout(t, test.layout).Position(test.name)
		if group != test.group || number != test.number || ok != test.ok {
			t.Errorf("%s: Position(%q) = %q, %d, %v; want %q, %d, %v", test.layout.Name, test.name, group, number, ok, test.group, test.number, test.ok)
		}
	}
}

func TestMatchAndTail(t *testing.T) {
	t.Parallel()
	files := mustLayout(t, LayoutOptions{Name: "files", Pattern: `a|b.*\.log`})
	for name, want := range map[string]bool{"a": true, "b1.log": true, "ab1.log": false, "a.log": false, "b1.log2": false} {
		if files.Match(name) != want {
			t.Errorf("Match(%q) = %v", name, !want)
		}
	}
	segments := mustLayout(t, LayoutOptions{Name: "segments", Pattern: `(.*)\.log`})
	if !segments.Match("12.log") || segments.Match("twelve.log") {
		t.Error("a segment needs a number in its name")
	}
	for _, test := range []struct {
		options LayoutOptions
		want    bool
	}{
		{LayoutOptions{Name: "je"}, true},
		{LayoutOptions{Name: "je", NoTail: true}, false},
		{LayoutOptions{Name: "noxu"}, true},
		{LayoutOptions{Name: "bdb"}, false},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)`}, false},
		{LayoutOptions{Name: "files", Pattern: `.*`}, false},
	} {
		l := mustLayout(t, test.options)
		if l.KeepsTail() != test.want || l.Name() != test.options.Name {
			t.Errorf("%+v: Name() = %q, KeepsTail() = %v", test.options, l.Name(), l.KeepsTail())
		}
	}
	if (Layout{}).Match("0000002a.jdb") || (Layout{}).Match("") {
		t.Error("the zero Layout matches something")
	}
}

func TestLayoutErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options LayoutOptions
		want    string // in the error
	}{
		{LayoutOptions{}, "je, noxu, bdb, segments, files"},
		{LayoutOptions{Name: "JE"}, `"JE"; use one of je, noxu`},
		{LayoutOptions{Name: "je", Pattern: ".*"}, "layout je has no pattern"},
		{LayoutOptions{Name: "noxu", Base: 16}, "layout noxu has no base"},
		{LayoutOptions{Name: "bdb", Closed: "quiet"}, "layout bdb has no closed"},
		{LayoutOptions{Name: "je", Quiet: time.Second}, "layout je has no quiet"},
		{LayoutOptions{Name: "segments"}, "needs a pattern"},
		{LayoutOptions{Name: "segments", Pattern: `\d+`}, "0 groups"},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)-(\d+)`}, "2 groups"},
		{LayoutOptions{Name: "segments", Pattern: `(\d+`}, "missing closing )"},
		{LayoutOptions{Name: "segments", Pattern: `\d+)|(x`}, "unexpected )"},
		{LayoutOptions{Name: "segments", Pattern: `\Q(`}, `\Q(`},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)`, Base: 8}, "10 (the default) or 16"},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)`, Closed: "never"}, "all-but-newest (the default) or quiet"},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)`, Quiet: time.Second}, "set closed: quiet"},
		{LayoutOptions{Name: "segments", Pattern: `(\d+)`, Closed: "quiet", Quiet: -1}, "negative"},
		{LayoutOptions{Name: "files"}, "needs a pattern"},
		{LayoutOptions{Name: "files", Pattern: "a", Base: 10}, "layout files has no base"},
		{LayoutOptions{Name: "files", Pattern: "a", Closed: "quiet"}, "layout files has no closed"},
		{LayoutOptions{Name: "files", Pattern: "a", Quiet: -time.Second}, "negative"},
	} {
		_, err := NewLayout(test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want one with %q", test.options, err, test.want)
		}
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files string
		want  string // the layout, or the error's text
	}{
		{"00000000.jdb je.lck je.info.0", "je"},
		{"data001/00000000.jdb", "je"},
		{"00000000.ndb noxu.lck", "noxu"},
		{"log.0000000001 __db.001 accounts.db", "bdb"},
		{"", "no log files of je"},
		{"notes.txt 0000000A.jdb", "no log files of je"},
		{"00000000.jdb 00000001.jdb 00000000.ndb", "several layouts: je (0000000"},
	} {
		dir := t.TempDir()
		fill(t, dir, strings.Fields(test.files)...)
		l, err := Detect(dir)
		got := l.Name()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, test.want) || (err == nil && got != test.want) {
			t.Errorf("Detect with %q: %s; want %s", test.files, got, test.want)
		}
		if noFiles := strings.Contains(test.want, "no log files"); errors.Is(err, ErrEmpty) != noFiles {
			t.Errorf("Detect with %q: %v; ErrEmpty: %v", test.files, err, !noFiles)
		}
	}
	if _, err := Detect(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrMissing) {
		t.Errorf("Detect without a directory: %v", err)
	}
}

// fill makes files, each with its own name for content.
func fill(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Compare is a total order in which numbers ascend within a group.
func TestCompareIsAnOrder(t *testing.T) {
	t.Parallel()
	layouts := []Layout{
		mustLayout(t, LayoutOptions{Name: "je"}),
		mustLayout(t, LayoutOptions{Name: "segments", Pattern: `(?:[a-c]/)?x*(\d+)`}),
		mustLayout(t, LayoutOptions{Name: "files", Pattern: `.*`}),
	}
	name := rapid.OneOf(
		rapid.StringMatching(`(data00[12]/)?0000000[0-9a-c]\.jdb`),
		rapid.StringMatching(`([a-c]/)?x?x?[0-9]{1,3}`),
		rapid.StringMatching(`[a-c/.]{0,4}`))
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom(layouts).Draw(t, "layout")
		names := rapid.SliceOfN(name, 3, 3).Draw(t, "names")
		a, b, c := names[0], names[1], names[2]
		if (l.Compare(a, b) == 0) != (a == b) || l.Compare(a, b) != -l.Compare(b, a) {
			t.Fatalf("Compare(%q, %q) = %d, the other way %d", a, b, l.Compare(a, b), l.Compare(b, a))
		}
		if l.Compare(a, b) < 0 && l.Compare(b, c) < 0 && l.Compare(a, c) >= 0 {
			t.Fatalf("%q < %q < %q, but not %q < %q", a, b, c, a, c)
		}
		ga, na, oka := l.Position(a)
		gb, nb, okb := l.Position(b)
		if oka && okb && ga == gb && na < nb && l.Compare(a, b) >= 0 {
			t.Fatalf("%q has a lower number than %q and comes later", a, b)
		}
	})
}

func FuzzLayout(f *testing.F) {
	f.Add("je", "", 0, "", "0000002a.jdb", "data001/0000002b.jdb")
	f.Add("bdb", "", 0, "", "log.0000000001", "log.")
	f.Add("segments", `a|b(\d)|.*`, 16, "quiet", "b7", "\xff")
	f.Add("segments", `[^/]+/(\d{20})\.log`, 10, "", "a/99999999999999999999.log", "/")
	f.Add("files", `(?i).*\Qx\E`, 0, "", "X", "")
	f.Fuzz(func(t *testing.T, layout, pattern string, base int, closed, a, b string) {
		l, err := NewLayout(LayoutOptions{Name: layout, Pattern: pattern, Base: base, Closed: closed})
		if err != nil {
			return
		}
		for _, name := range []string{a, b} {
			if _, _, ok := l.Position(name); ok && !l.Match(name) {
				t.Errorf("%q has a position and is no log file", name)
			}
		}
		if l.Compare(a, b) != -l.Compare(b, a) || (l.Compare(a, b) == 0) != (a == b) {
			t.Errorf("Compare(%q, %q) is no order", a, b)
		}
		names := []string{a, b}
		slices.SortFunc(names, l.Compare)
	})
}
