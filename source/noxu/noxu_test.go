package noxu_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/noxu"
)

// published is the header of a version 3 file that Noxu 7.5.6 wrote.
const published = "4e4f58554442000000000003000000000000" + "01a205c4755c" + "00000001" + "000f41c6" + "2329c0fd"

// Our writer makes, of the same values, the header that Noxu made.
func TestPublishedHeader(t *testing.T) {
	t.Parallel()
	got := header(3, 0x01a205c4755c, 1, 0x000f41c6)
	if hex.EncodeToString(got) != published {
		t.Errorf("header %x, want %s", got, published)
	}
	res := entriestest.Read(noxu.NewReader, 1, got)
	if res.Problem != nil || res.Version != 3 || res.Number != 1 || res.Previous != 0x000f41c6 || res.HeaderSize != 36 || res.Time != 0x01a205c4755c || res.End != 36 || res.Begun() {
		t.Errorf("read as %+v", res)
	}
}

// log makes two files of our own, the second the first's successor, with entries of many
// sizes and kinds.
func log(version uint32) []entriestest.LogFile {
	var files []entriestest.LogFile
	previous := uint32(0)
	for n := range uint32(2) {
		b := header(version, 1_780_000_000_000, n, previous)
		last := uint32(0)
		for i := range 600 {
			flags := byte(0)
			switch i % 7 {
			case 3:
				flags = 0x28
			case 5:
				flags = 0x80
			}
			at := uint32(len(b))
			b = add(b, last, byte(1+i%40), flags, item(i))
			last = at
			if i%50 == 9 {
				b[at+5] |= 0x10 // rolled back, later
			}
		}
		files = append(files, entriestest.LogFile{Name: fmt.Sprintf("%08x.ndb", n), Bytes: b})
		previous = last
	}
	return files
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for _, version := range []uint32{2, 3} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			files := log(version)
			res := entriestest.Whole(t, noxu.NewReader, files)
			if res.Entries != 1200 || res.Invisible != 24 || res.VLSNs != 172 || res.Erased != 0 {
				t.Errorf("%d entries, %d invisible, %d with a VLSN, %d erased; want 1200, 24, 172, 0", res.Entries, res.Invisible, res.VLSNs, res.Erased)
			}
			entriestest.Pieces(t, noxu.NewReader, &files[1])
		})
	}
	t.Run("noxu3", func(t *testing.T) {
		files := entriestest.Fixture(t, "noxu3")
		res := entriestest.Whole(t, noxu.NewReader, files)
		if res.Entries != 15_511 {
			t.Errorf("%d entries, want 15511", res.Entries)
		}
		entriestest.Pieces(t, noxu.NewReader, &files[2])
	})
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		files func(testing.TB) []entriestest.LogFile
	}{
		{"version 2", func(testing.TB) []entriestest.LogFile { return log(2) }},
		{"version 3", func(testing.TB) []entriestest.LogFile { return log(3) }},
		{"noxu3", func(t testing.TB) []entriestest.LogFile { return entriestest.Fixture(t, "noxu3") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			missed := entriestest.Changes(t, noxu.NewReader, test.files(t), 2000, func(c entriestest.Change) bool {
				if c.Entry == 0 { // the time and the chain, which version 2 does not sum
					return test.name == "version 2" && (16 <= c.Place() && c.Place() < 24 || 28 <= c.Place())
				}
				return c.Place() == 5 && c.From^c.To == 0x10
			})
			t.Logf("%d of 2000 changes were in the invisible bit, or in what the header does not sum", missed)
		})
	}
}

func TestCuts(t *testing.T) {
	t.Parallel()
	for _, version := range []uint32{2, 3} {
		files := log(version)
		entriestest.Cuts(t, noxu.NewReader, &files[0], &files[1])
	}
	t.Run("noxu3", func(t *testing.T) {
		files := entriestest.Fixture(t, "noxu3")
		entriestest.Cuts(t, noxu.NewReader, &files[1], &files[2])
	})
}

func TestProblems(t *testing.T) {
	t.Parallel()
	good := func(version uint32) []byte { return add(header(version, 1, 3, 0), 0, 1, 0, []byte("item")) }
	change := func(b []byte, at int, to byte) []byte {
		b[at] = to
		return b
	}
	large := func(size uint32) []byte {
		b := good(3)
		binary.LittleEndian.PutUint32(b[36+10:], size)
		return b
	}
	for _, test := range []struct {
		name   string
		number int64
		file   []byte
		kind   entries.Kind
		offset int64
	}{
		{"whole", 3, good(3), "", 0},
		{"whole, version 2", 3, good(2), "", 0},
		{"header alone", 3, good(3)[:36], "", 0},
		{"header alone, version 2", 3, good(2)[:32], "", 0},
		{"no name", entries.AnyNumber, good(3), "", 0},
		{"another name", 2, good(3), entries.Number, 0},
		{"empty", 3, nil, entries.Cut, 0},
		{"half a header", 3, good(3)[:32], entries.Cut, 0},
		{"no magic", 3, change(good(3), 0, 'n'), entries.Header, 0},
		{"a later version", 3, good(4), entries.Version, 0},
		{"a version by damage", 3, change(good(3), 11, 4), entries.Checksum, 0},
		{"the version without checksum by damage", 3, change(good(3), 11, 2), entries.Previous, 32},
		{"byte order", 3, change(good(2), 12, 1), entries.Header, 0},
		{"zeros between", 3, change(good(2), 14, 1), entries.Header, 0},
		{"item", 3, change(good(3), 36+14, 'I'), entries.Checksum, 36},
		{"previous", 3, change(good(3), 36+6, 36), entries.Previous, 36},
		{"the largest item", 3, large(100 << 20), entries.Cut, 36},
		{"larger than the largest", 3, large(100<<20 + 1), entries.Size, 36},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := entriestest.Read(noxu.NewReader, test.number, test.file)
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

// Gaps in the numbers are normal: nothing is reported across them.
func TestGap(t *testing.T) {
	t.Parallel()
	files := log(3)
	first := entriestest.Read(noxu.NewReader, 0, files[0].Bytes)
	other := entriestest.Read(noxu.NewReader, 7, header(3, 1, 7, 12345))
	if p := entries.Chain(&first, &other); p != nil {
		t.Error(p)
	}
}

func TestAllocations(t *testing.T) { entriestest.Allocations(t, noxu.NewReader, &log(3)[1]) }

func BenchmarkCheck(b *testing.B) {
	entriestest.Benchmark(b, noxu.NewReader, &log(3)[1], crc32.NewIEEE)
}

func FuzzReader(f *testing.F) {
	for _, version := range []uint32{2, 3, 4} {
		f.Add(log(version)[1].Bytes[:1500], 700)
	}
	f.Fuzz(func(t *testing.T, b []byte, split int) { entriestest.Fuzz(t, noxu.NewReader, b, split) })
}

// header makes a file header.
func header(version uint32, ms uint64, number, previous uint32) []byte {
	b := []byte("NOXUDB\x00\x00")
	b = binary.BigEndian.AppendUint32(b, version)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, ms)
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint32(b, previous)
	if version == 2 {
		return b
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// add appends an entry to a file.
func add(b []byte, previous uint32, kind, flags byte, item []byte) []byte {
	e := []byte{0, 0, 0, 0, kind, flags}
	e = binary.LittleEndian.AppendUint32(e, previous)
	e = binary.LittleEndian.AppendUint32(e, uint32(len(item)))
	if flags&0x28 != 0 {
		e = binary.LittleEndian.AppendUint64(e, uint64(len(b))) // any VLSN
	}
	e = append(e, item...)
	binary.LittleEndian.PutUint32(e, crc32.ChecksumIEEE(e[4:]))
	return append(b, e...)
}

// item is the i-th item: empty now and then, large now and then.
func item(i int) []byte {
	b := make([]byte, i*i%97)
	if i%100 == 99 {
		b = make([]byte, 3000)
	}
	for j := range b {
		b[j] = byte(i * (j + 3))
	}
	return b
}
