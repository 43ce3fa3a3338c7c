package entriestest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries"
)

// Plain is a second implementation of reading log files. It tries every offset, with the rules of
// package entries and the checksums of the standard library, and shares no code with a Reader.
type Plain struct {
	Sum             func([]byte) uint32
	VLSN, Invisible byte // flags
	Erases          bool // type 43 is an erased entry
	MaxItem         uint32
}

// at returns the offset at which the entry at an offset ends, by its size; 0 if that is after the
// end of the file.
func (p Plain) at(b []byte, at int) int {
	if at+14 > len(b) {
		return 0
	}
	end := uint64(at) + 14 + uint64(binary.LittleEndian.Uint32(b[at+10:]))
	if b[at+5]&p.VLSN != 0 {
		end += 8
	}
	if end > uint64(len(b)) {
		return 0
	}
	return int(end)
}

func (p Plain) summed(b []byte, at int) bool {
	e := b[at+4 : p.at(b, at)]
	if e[1]&p.Invisible != 0 {
		e = bytes.Clone(e)
		e[1] &^= p.Invisible
	}
	return p.Sum(e) == binary.LittleEndian.Uint32(b[at:])
}

func (p Plain) valid(b []byte, at int) bool {
	if p.Erases && b[at+4] == erasedType {
		size := int(binary.LittleEndian.Uint32(b[at+10:]))
		end := p.at(b, at)
		return len(bytes.Trim(b[end-size:end], "\x00")) == 0
	}
	return p.summed(b, at)
}

// GoesOn reports whether b has valid entries at or after the offset from, by the rules of
// Reader.Resyncs: two entries, where the second follows the first and has its offset; or one entry
// that has from as its previous offset, unless it is within what may be an unfinished entry and
// does not end the file. last is the offset of the last whole valid entry.
func (p Plain) GoesOn(b []byte, from, last int) bool {
	covered := uint64(0)
	if from+14 <= len(b) && int64(binary.LittleEndian.Uint32(b[from+6:])) == int64(last) {
		if size := binary.LittleEndian.Uint32(b[from+10:]); size <= p.MaxItem {
			covered = uint64(from) + 14 + uint64(size)
		}
		if b[from+5]&p.VLSN != 0 {
			covered += 8
		}
	}
	for at := from; at < len(b); at++ {
		next := p.at(b, at)
		if next == 0 {
			continue
		}
		previous := int64(binary.LittleEndian.Uint32(b[at+6:]))
		names := previous == int64(from) && from > 0 && !(p.Erases && b[at+4] == erasedType)
		if names && (uint64(at) >= covered || next == len(b)) && p.summed(b, at) {
			return true
		}
		follows := p.at(b, next) > 0 && int64(binary.LittleEndian.Uint32(b[next+6:])) == int64(at)
		if follows && p.valid(b, at) && p.valid(b, next) {
			return true
		}
	}
	return false
}

// A Tear is damage to a file.
type Tear struct {
	What     string
	From, To int
}

func (t *Tear) String() string {
	return fmt.Sprintf("%s in bytes %d to %d", t.What, t.From, t.To)
}

// tear damages 1 byte to 1 MiB of a file at an offset: with zeros, ones, garbage, a flipped bit,
// or a block of the same or another file.
func tear(random *rand.Rand, b []byte, other []byte, at int) Tear {
	size := 1 + int(float64(int(1)<<random.IntN(21))*(1-random.Float64()/2))
	t := Tear{From: at, To: min(at+size, len(b))}
	block := b[t.From:t.To]
	from := func(file []byte, at int) { copy(block, bytes.Clone(file[min(at, len(file)):])) }
	switch random.IntN(7) {
	case 0:
		t.What = "zeros"
		clear(block)
	case 1:
		t.What = "ones"
		for i := range block {
			block[i] = 0xff
		}
	case 2:
		t.What = "a flipped bit"
		t.To = t.From + 1
		block[0] ^= 1 << random.IntN(8)
	case 3:
		t.What = "a block of the file"
		from(b, random.IntN(len(b)))
	case 4:
		t.What = "a block of another file"
		from(other, random.IntN(len(other)))
	case 5:
		t.What = "the same block of another file"
		from(other, t.From)
	default:
		t.What = "garbage"
		noise(random, block)
	}
	return t
}

func noise(random *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(random.Uint32())
	}
}

// Torn damages files at entries of every type, and checks that Resyncs returns the same as
// Plain.GoesOn. It also checks that Resyncs finds two undamaged entries after the damage.
func Torn(t *testing.T, newReader NewReader, plain Plain, files []LogFile, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(14, 9))
	yes, no := 0, 0
	for i := range files {
		f, other := &files[i], files[(i+1)%len(files)].Bytes
		starts := Starts(t, newReader, f)
		byType := map[byte][]int{}
		for _, s := range starts {
			kind := f.Bytes[s+4]
			if s == 0 {
				kind = 0 // the header, which may be no entry
			}
			byType[kind] = append(byType[kind], s)
		}
		starts = append(starts, len(f.Bytes))
		for _, kind := range slices.Sorted(maps.Keys(byType)) { // in order, so that each run is the same
			all := byType[kind]
			for range rounds {
				b := bytes.Clone(f.Bytes)
				at := all[random.IntN(len(all))] + []int{0, 0, 4, 5, 6, 10, 14, 30, -1, -500}[random.IntN(10)]
				what := tear(random, b, other, min(max(at, 0), len(b)-1))
				r := newReader(f.Number(t))
				r.Write(b)
				res := r.Result()
				if res.Problem == nil {
					continue // the bytes are the same, or the change is an invisible flag
				}
				got, err := r.Resyncs(t.Context(), bytes.NewReader(b), int64(len(b)))
				if err != nil {
					t.Fatal(err)
				}
				if res.Problem.Kind == entries.Number {
					continue // TestTornHeader of package entries tests this
				}
				if want := plain.GoesOn(b, int(res.End), int(res.Last)); got != want {
					t.Fatalf("%s, type %d, %v: resyncs: %v, by brute force: %v; %v",
						f.Name, kind, &what, got, want, res.Problem)
				}
				if k, _ := slices.BinarySearch(starts, what.To); k+2 < len(starts) && !got {
					t.Fatalf("%s, type %d, %v: whole entries from byte %d on were not found", f.Name, kind, &what, starts[k])
				}
				if got {
					yes++
				} else {
					no++
				}
			}
		}
	}
	if yes == 0 || no == 0 {
		t.Errorf("%d files resynced, and %d did not: the test needs both cases", yes, no)
	}
	t.Logf("%d files resynced after the damage, %d did not", yes, no)
}

// Unfinished ends files as databases and file systems may leave them, and checks that Resyncs
// reports no damage. A file is cut anywhere, and followed by no bytes, zeros or garbage, or by the
// beginning of a record that contains the entries of another log file.
func Unfinished(t *testing.T, newReader NewReader, files []LogFile, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(9, 14))
	for i := range files {
		f, other := &files[i], files[(i+1)%len(files)].Bytes
		starts := Starts(t, newReader, f)
		for range rounds {
			cut := starts[1] + random.IntN(len(f.Bytes)-starts[1]+1)
			behind := make([]byte, 1<<random.IntN(21)-1)
			what := "zeros"
			switch random.IntN(4) {
			case 0:
				what, behind = "nothing", nil
			case 1:
				what = "garbage"
				noise(random, behind)
			case 2:
				what = "a record of log entries"
				k := 2 + random.IntN(len(starts)-2)
				cut = starts[k]
				behind = append(frame(starts[k-1], 2<<20), make([]byte, random.IntN(1000))...)
				if from := random.IntN(len(other)); from != cut+len(behind) {
					behind = append(append(behind, other[from:]...), "and more"...)
				}
			}
			b := append(bytes.Clone(f.Bytes[:cut]), behind...)
			r := newReader(f.Number(t))
			r.Write(b)
			if got, err := r.Resyncs(t.Context(), bytes.NewReader(b), int64(len(b))); got || err != nil {
				t.Fatalf("%s, cut at %d, with %d bytes of %s: %v, %v", f.Name, cut, len(behind), what, got, err)
			}
		}
	}
}

// frame returns the frame of an entry without a checksum.
func frame(previous int, size uint32) []byte {
	b := make([]byte, 14)
	b[4] = JERecord
	binary.LittleEndian.PutUint32(b[6:], uint32(previous))
	binary.LittleEndian.PutUint32(b[10:], size)
	return b
}
