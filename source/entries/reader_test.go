package entries_test

import (
	"encoding/binary"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
)

// unsummed is a format in which every checksum is 0, so that a fuzzer gets past it. The first byte
// of its header gives the flags that count, the second the header's length.
var unsummed = entries.Format{
	Sum:     func(uint32, []byte) uint32 { return 0 },
	MaxItem: 1 << 20,
	HeaderSize: func(b []byte) int {
		if len(b) < 2 {
			return 2
		}
		return 4 + int(b[1]%8)
	},
	ReadHeader: func(b []byte) (entries.FileHeader, *entries.Problem) {
		if b[0] == 0xff {
			return entries.FileHeader{}, &entries.Problem{Kind: entries.Header}
		}
		return entries.FileHeader{VLSN: b[0] & 0x28, Invisible: b[0] & 0x10, Erases: b[0]&1 != 0, Erased: 43}, nil
	},
}

func newUnsummed(number int64) *entries.Reader { return entries.NewReader(&unsummed, number) }

func FuzzReader(f *testing.F) {
	for _, rules := range []byte{0, 0x39, 0xff} {
		b := []byte{rules, 3, 0, 0, 0, 0, 0}
		last := 0
		for i, flags := range []byte{0, 0x28, 0x10, 0x38, 0} {
			at := len(b)
			b = append(b, 0, 0, 0, 0, byte(41+i), flags)
			b = binary.LittleEndian.AppendUint32(b, uint32(last))
			b = binary.LittleEndian.AppendUint32(b, uint32(i*3))
			if rules&flags&0x28 != 0 {
				b = append(b, "the VLSN"...)
			}
			b = append(b, make([]byte, i*3)...)
			last = at
		}
		f.Add(b, 20)
	}
	f.Fuzz(func(t *testing.T, b []byte, split int) { entriestest.Fuzz(t, newUnsummed, b, split) })
}

// Chain reports nothing about two files if one of them proves nothing.
func TestChain(t *testing.T) {
	t.Parallel()
	file := entries.Result{Number: 4, HeaderSize: 38, Last: 100, End: 150, Size: 150}
	next := entries.Result{Number: 5, HeaderSize: 38, Previous: 100}
	for _, test := range []struct {
		name   string
		change func(file, next *entries.Result)
		found  bool
	}{
		{"they fit", func(_, _ *entries.Result) {}, false},
		{"less than there was", func(_, next *entries.Result) { next.Previous = 150 }, true},
		{"more than there was", func(_, next *entries.Result) { next.Previous = 50 }, true},
		{"no neighbours", func(_, next *entries.Result) { next.Number, next.Previous = 6, 150 }, false},
		{"the wrong way round", func(file, next *entries.Result) { file.Number, next.Previous = 6, 150 }, false},
		{"a file that is damaged anyway", func(file, next *entries.Result) { file.Problem, next.Previous = &entries.Problem{}, 150 }, false},
		{"a file without header", func(file, next *entries.Result) { file.HeaderSize, next.Previous = 0, 150 }, false},
		{"a successor without header", func(_, next *entries.Result) { next.HeaderSize, next.Previous = 0, 150 }, false},
		{"a damaged successor with a good header", func(_, next *entries.Result) { next.Problem, next.Previous = &entries.Problem{}, 150 }, true},
	} {
		f, n := file, next
		test.change(&f, &n)
		p := entries.Chain(&f, &n)
		if found := p != nil; found != test.found {
			t.Errorf("%s: %v", test.name, p)
		}
		if p != nil && (p.Kind != entries.Missing || p.Offset != 100 || !p.Damaged()) {
			t.Errorf("%s: %+v", test.name, p)
		}
	}
}
