package je_test

import (
	"encoding/binary"
	"hash/adler32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// environment is a small real one, which JE 3.3 wrote.
var environment = filepath.Join("..", "..", "testdata", "je-log6")

func small(t testing.TB) []entriestest.LogFile {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(environment, "*.jdb"))
	if err != nil || len(names) != 3 {
		t.Fatalf("log files in %s: %q, %v", environment, names, err)
	}
	var files []entriestest.LogFile
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, entriestest.LogFile{Name: filepath.Base(name), Bytes: b})
	}
	return files
}

// The files of every JE generation are whole. The numbers of version 6 are compared with JE's own
// in TestPrintLog.
func TestWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                   string
		version                uint32
		entries, vlsns, erased int64
		files                  func(testing.TB, string) []entriestest.LogFile
	}{
		{"small", 6, 2_081, 0, 0, func(t testing.TB, _ string) []entriestest.LogFile { return small(t) }},
		{"je6", 6, 18_607, 0, 0, entriestest.Fixture},
		{"je15", 15, 20_651, 0, 0, entriestest.Fixture},
		{"je26", 26, 20_659, 0, 0, entriestest.Fixture},
		{"je26-vlsn", 26, 34_535, 34_226, 0, entriestest.Fixture},
		{"je26-erased", 26, 36_879, 0, 12_786, entriestest.Fixture},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := test.files(t, test.name)
			res := entriestest.Whole(t, je.NewReader, files)
			if res.Entries != test.entries || res.VLSNs != test.vlsns || res.Erased != test.erased || res.Invisible != 0 {
				t.Errorf("%d entries, %d with a VLSN, %d erased, %d invisible; want %d, %d, %d and none",
					res.Entries, res.VLSNs, res.Erased, res.Invisible, test.entries, test.vlsns, test.erased)
			}
			first := entriestest.Read(je.NewReader, 0, files[0].Bytes)
			if first.Version != test.version {
				t.Errorf("log version %d, want %d", first.Version, test.version)
			}
			entriestest.Pieces(t, je.NewReader, &files[len(files)-1])
		})
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	const (
		invisible = 0x10
		erased    = 43
	)
	for _, name := range []string{"small", "je6", "je15", "je26", "je26-vlsn", "je26-erased"} {
		t.Run(name, func(t *testing.T) {
			files := small(t)
			if name != "small" {
				files = entriestest.Fixture(t, name)
			}
			version := entriestest.Read(je.NewReader, 0, files[0].Bytes).Version
			missed := entriestest.Changes(t, je.NewReader, files, 2000, func(c entriestest.Change) bool {
				if version >= 17 && c.Type == erased { // in the fixture none has a VLSN
					return c.Place() < 4 || c.Place() == 5
				}
				return version >= 7 && c.Entry > 0 && c.Place() == 5 && c.From^c.To == invisible
			})
			t.Logf("%d of 2000 changes were in the invisible bit or past checking in an erased entry", missed)
		})
	}
}

func TestCuts(t *testing.T) {
	t.Parallel()
	files := small(t)
	entriestest.Cuts(t, je.NewReader, &files[0], &files[1])
	entriestest.Cuts(t, je.NewReader, &files[1], &files[2])
	t.Run("je26", func(t *testing.T) {
		files := entriestest.Fixture(t, "je26")
		entriestest.Cuts(t, je.NewReader, &files[2], &files[3])
	})
	t.Run("je26-erased", func(t *testing.T) {
		files := entriestest.Fixture(t, "je26-erased")
		entriestest.Cuts(t, je.NewReader, &files[1], &files[2])
	})
}

// The invisible bit is set in place and changes no checksum, from version 7 on; before,
// it is a bit like all others.
func TestInvisible(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version   uint32
		invisible int64
	}{{6, 0}, {7, 1}, {26, 1}} {
		b := file(test.version, 3, entry(1, 0, "one"), entry(1, 0, "two"))
		b[38+14+3+5] |= 0x10
		res := entriestest.Read(je.NewReader, 3, b)
		if res.Invisible != test.invisible || (res.Problem == nil) != (test.invisible == 1) {
			t.Errorf("version %d: %d invisible, %v", test.version, res.Invisible, res.Problem)
		}
	}
}

// An eraser's changes are no damage, unless it left some bytes.
func TestErased(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version uint32
		item    string
		kind    entries.Kind
	}{
		{17, "\x00\x00\x00\x00", ""},
		{17, "\x00\x00\x01\x00", entries.Erased},
		{16, "\x00\x00\x00\x00", entries.Checksum}, // there was no eraser
	} {
		b := file(test.version, 3, entry(1, 0, "data"), entry(1, 0, "more"))
		b[38+4] = 43
		copy(b[38+14:], test.item)
		res := entriestest.Read(je.NewReader, 3, b)
		if test.kind == "" {
			if res.Problem != nil || res.Erased != 1 || res.Entries != 3 || res.Types[43] != 1 {
				t.Errorf("%+v", res)
			}
		} else if res.Problem == nil || res.Problem.Kind != test.kind || res.Problem.Offset != 38 {
			t.Errorf("version %d, %q: %v", test.version, test.item, res.Problem)
		}
	}
}

// The low bits of the flags are the version up to 7, and later a flag for the VLSN.
func TestVLSN(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version uint32
		flags   byte
		vlsn    bool
	}{{6, 0x06, false}, {6, 0x26, true}, {7, 0x0f, false}, {7, 0x27, true}, {8, 0x08, true}, {26, 0x20, true}, {26, 0x28, true}, {26, 0x80, false}} {
		item, want := "some item, and a VLSN of eight bytes", int64(0)
		e := entry(1, test.flags, item)
		if test.vlsn {
			binary.LittleEndian.PutUint32(e[10:], uint32(len(item)-8))
			want = 1
		}
		res := entriestest.Read(je.NewReader, 3, file(test.version, 3, e))
		if res.Problem != nil || res.VLSNs != want {
			t.Errorf("version %d, flags %02x: %d with a VLSN, want %d; %v", test.version, test.flags, res.VLSNs, want, res.Problem)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	good := func() []byte { return file(26, 3, entry(1, 0, "one"), entry(1, 0, "two")) }
	for _, test := range []struct {
		name   string
		number int64
		file   []byte
		kind   entries.Kind
		offset int64
		whole  int64 // entries before it
	}{
		{"whole", 3, good(), "", 0, 3},
		{"header alone", 3, good()[:38], "", 0, 1},
		{"no name", entries.AnyNumber, good(), "", 0, 3},
		{"another name", 4, good(), entries.Number, 0, 0},
		{"empty", 3, nil, entries.Cut, 0, 0},
		{"half a header", 3, good()[:20], entries.Cut, 0, 0},
		{"no header", 3, make([]byte, 100), entries.Header, 0, 0},
		{"a later version", 3, file(27, 3), entries.Version, 0, 0},
		{"an earlier version", 3, file(5, 3), entries.Version, 0, 0},
		{"zeros behind", 3, append(good(), make([]byte, 100)...), entries.Previous, 72, 3},
		{"an item beyond all bounds", 3, file(26, 3, huge()), entries.Size, 38, 1},
		{"an item beyond the end", 3, file(26, 3, promise(1<<30)), entries.Cut, 38, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := entriestest.Read(je.NewReader, test.number, test.file)
			if res.Entries != test.whole {
				t.Errorf("%d entries, want %d", res.Entries, test.whole)
			}
			if test.kind == "" {
				if res.Problem != nil {
					t.Error(res.Problem)
				}
			} else if p := res.Problem; p == nil || p.Kind != test.kind || p.Offset != test.offset || p.Damaged() == (p.Kind == entries.Version) {
				t.Errorf("found %v, want %s at %d", p, test.kind, test.offset)
			}
		})
	}
}

// The time in a file's header shows whether the file was begun after a capture: real JE wrote
// these, one after the other.
func TestHeaderTimes(t *testing.T) {
	t.Parallel()
	before := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	for _, f := range small(t) {
		now := entriestest.Read(je.NewReader, f.Number(t), f.Bytes).Time
		if now < before || now > time.Now().UnixMilli() {
			t.Errorf("%s was begun at %s, and after %s", f.Name, time.UnixMilli(now).UTC(), time.UnixMilli(before).UTC())
		}
		before = now
	}
}

// Not side by side with others, whose allocations would count.
func TestAllocations(t *testing.T) {
	files := small(t)
	entriestest.Allocations(t, je.NewReader, &files[0])
}

func FuzzReader(f *testing.F) {
	for _, s := range small(f) {
		f.Add(s.Bytes[:2000], 900)
	}
	f.Add(file(26, 3, entry(43, 0, "\x00\x00\x00"), entry(1, 0x10, "one"), entry(1, 0x28, "eight bytes and more")), 50)
	f.Fuzz(func(t *testing.T, b []byte, split int) { entriestest.Fuzz(t, je.NewReader, b, split) })
}

// entry makes an entry, without the fields that depend on its place.
func entry(kind, flags byte, item string) []byte {
	b := make([]byte, 14, 14+len(item))
	b[4], b[5] = kind, flags
	binary.LittleEndian.PutUint32(b[10:], uint32(len(item)))
	return append(b, item...)
}

// huge and promise make entries that claim to be large.
func huge() []byte { return promise(1 << 31) }

func promise(size uint32) []byte {
	b := entry(1, 0, "little")
	binary.LittleEndian.PutUint32(b[10:], size)
	return b
}

// file makes a log file of entries.
func file(version, number uint32, list ...[]byte) []byte {
	item := make([]byte, 24)
	binary.LittleEndian.PutUint32(item[8:], number)
	binary.LittleEndian.PutUint32(item[20:], version)
	var b []byte
	last := 0
	for _, e := range append([][]byte{entry(25, 0, string(item))}, list...) {
		at := len(b)
		b = append(b, e...)
		binary.LittleEndian.PutUint32(b[at+6:], uint32(last))
		binary.LittleEndian.PutUint32(b[at:], adler32.Checksum(b[at+4:]))
		last = at
	}
	return b
}
