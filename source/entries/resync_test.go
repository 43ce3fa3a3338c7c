package entries_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// logOf makes a log file with entries of random bytes of the given sizes, and returns their
// offsets.
func logOf(number uint32, seed byte, sizes ...int) (*entriestest.JELog, []int) {
	log, random := entriestest.NewJE(26, number, 7), rand.NewChaCha8([32]byte{seed})
	var starts []int
	for _, size := range sizes {
		starts = append(starts, len(log.Bytes))
		item := make([]byte, size)
		random.Read(item)
		log.Add(entriestest.JERecord, item)
	}
	return log, starts
}

func goesOn(t *testing.T, number int64, b []byte) bool {
	t.Helper()
	r := je.NewReader(number)
	r.Write(b)
	on, err := r.Resyncs(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// A file whose header is damaged was left out of every snapshot, with all of its entries.
func TestTornHeader(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 3000, 10, 700, 5000, 20, 90, 4000}
	log, starts := logOf(3, 1, sizes...)
	other, _ := logOf(2, 2, 50, 900, 4000, 3, 60, 1000)
	for what, test := range map[string]struct {
		change func(b []byte) []byte
		want   bool
	}{
		"zeros":                    {func(b []byte) []byte { clear(b[:64]); return b }, true},
		"zeros up to two entries":  {func(b []byte) []byte { clear(b[:starts[6]]); return b }, true},
		"zeros up to the last":     {func(b []byte) []byte { clear(b[:starts[7]]); return b }, false},
		"a flipped bit":            {func(b []byte) []byte { b[20] ^= 1; return b }, true},
		"a block of another file":  {func(b []byte) []byte { copy(b, other.Bytes[:4096]); return b }, true},
		"the header of another":    {func(b []byte) []byte { copy(b, other.Bytes[:38]); return b }, false},
		"another file as a whole":  {func([]byte) []byte { return other.Bytes }, false},
		"the beginning of another": {func([]byte) []byte { return other.Bytes[:3000] }, false},
		"a later log version":      {func([]byte) []byte { return entriestest.NewJE(99, 3, 0).Bytes }, false},
		"nothing but zeros":        {func(b []byte) []byte { return make([]byte, len(b)) }, false},
		"nothing":                  {func([]byte) []byte { return nil }, false},
	} {
		b := test.change(bytes.Clone(log.Bytes))
		if got := goesOn(t, 3, b); got != test.want {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
}

// Entries that are larger than the search's buffer are found too.
func TestTornBeforeLargeEntries(t *testing.T) {
	t.Parallel()
	const large = 9 << 20
	log, starts := logOf(0, 1, 500, 500, 500, large, 2*large)
	clear(log.Bytes[starts[1]+100 : starts[2]+100])
	if !goesOn(t, 0, log.Bytes) {
		t.Error("two large entries are behind the damage, and were not found")
	}
	log.Bytes[len(log.Bytes)-1] ^= 1
	if goesOn(t, 0, log.Bytes) {
		t.Error("one of them is damaged, and the other one was called two")
	}
	// The second of these begins when the beginning of the first is no longer in memory.
	log, starts = logOf(0, 1, 500, 500, 500, 2*large, 100)
	clear(log.Bytes[starts[1]+100 : starts[2]+100])
	if !goesOn(t, 0, log.Bytes) {
		t.Error("a large and a small entry are behind the damage, and were not found")
	}
}

// A long is a log of one entry, and a long stretch of something else behind it.
type long struct {
	log  []byte
	size int64
	fill func(page int64, b []byte)
	read int64
}

const longPage = 4096

func (l *long) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) && off < l.size {
		var page [longPage]byte
		at := off / longPage
		l.fill(at, page[:])
		if at == 0 {
			copy(page[:], l.log)
		}
		k := copy(b[n:], page[off%longPage:min(longPage, l.size-at*longPage)])
		n, off = n+k, off+int64(k)
	}
	l.read += int64(n)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Behind the end may lie a gigabyte of anything: a search reads it few times, whatever it is.
func TestLongEnd(t *testing.T) {
	t.Parallel()
	soaktest.Rounds(t, 1, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), longEnds)
	})
}

func longEnds(t *testing.T) {
	for what, test := range map[string]struct {
		fill func(page int64, b []byte)
		size int64
		most int64 // how often it may be read
	}{
		"zeros": {func(_ int64, b []byte) { clear(b) }, 1 << 28, 1},
		"ones":  {func(_ int64, b []byte) { copy(b, bytes.Repeat([]byte{0xff}, len(b))) }, 1 << 28, 1},
		"noise": {func(page int64, b []byte) {
			random := rand.NewPCG(uint64(page), 1)
			for ; len(b) > 0; b = b[8:] {
				binary.LittleEndian.PutUint64(b, random.Uint64())
			}
		}, 1 << 27, 20},
		"numbers": {func(page int64, b []byte) { // each may be an offset, or a size
			for i := range len(b) / 4 {
				binary.LittleEndian.PutUint32(b[4*i:], uint32(100+(page*int64(i)*2654435761)%(1<<25)))
			}
		}, 1 << 25, 20},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			log, _ := logOf(0, 1, 500)
			size := test.size
			if soaktest.IsFull(t) {
				size *= 8
			} else if testing.Short() {
				size = 24 << 20
			}
			l := &long{log: log.Bytes, size: size, fill: test.fill}
			r := je.NewReader(0)
			if _, err := io.Copy(r, io.NewSectionReader(l, 0, 2*longPage)); err != nil {
				t.Fatal(err)
			}
			l.read = 0
			on, err := r.Resyncs(t.Context(), l, size)
			if on || err != nil {
				t.Fatalf("%v, %v", on, err)
			}
			t.Logf("%.1f times the file was read", float64(l.read)/float64(size))
			if l.read > test.most*size {
				t.Errorf("%d bytes were read of %d", l.read, size)
			}
		})
	}
}

// A search ends with its context, and with the file's error.
func TestSearchEnds(t *testing.T) {
	t.Parallel()
	log, starts := logOf(0, 1, 500, 500, 500, 500)
	clear(log.Bytes[starts[0]:starts[2]])
	r := je.NewReader(0)
	r.Write(log.Bytes)
	size := int64(len(log.Bytes))
	ctx, cancel := context.WithCancelCause(t.Context())
	broken := errors.New("the disk is broken")
	cancel(broken)
	if on, err := r.Resyncs(ctx, bytes.NewReader(log.Bytes), size); on || !errors.Is(err, broken) {
		t.Errorf("without a context: %v, %v", on, err)
	}
	if on, err := r.Resyncs(t.Context(), failing{broken}, size); on || !errors.Is(err, broken) {
		t.Errorf("without a file: %v, %v", on, err)
	}
	if on, err := r.Resyncs(t.Context(), bytes.NewReader(log.Bytes[:starts[3]-1]), size); on || err != nil {
		t.Errorf("of a file that is shorter by now: %v, %v", on, err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
