package entriestest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries"
)

// A NewReader is je.NewReader or noxu.NewReader.
type NewReader func(number int64) *entries.Reader

// Read returns the Result of a Reader for a whole file.
func Read(newReader NewReader, number int64, b []byte) entries.Result {
	r := newReader(number)
	r.Write(b)
	return r.Result()
}

// Whole checks that the files are undamaged and follow each other, and returns the numbers of
// entries in all of them.
func Whole(t *testing.T, newReader NewReader, files []LogFile) (total entries.Result) {
	t.Helper()
	var before entries.Result
	for i := range files {
		f := &files[i]
		res := Read(newReader, f.Number(t), f.Bytes)
		if res.Problem != nil {
			t.Errorf("%s: false alarm: %v", f.Name, res.Problem)
		}
		if res.Size != int64(len(f.Bytes)) || res.End != res.Size || !res.Begun() {
			t.Errorf("%s of %d bytes: %d read, the last entry ends at %d", f.Name, len(f.Bytes), res.Size, res.End)
		}
		if i > 0 {
			if p := entries.Chain(&before, &res); p != nil {
				t.Errorf("%s and %s: false alarm: %v", files[i-1].Name, f.Name, p)
			}
		}
		before = res
		total.Entries += res.Entries
		total.Erased += res.Erased
		total.Invisible += res.Invisible
		total.VLSNs += res.VLSNs
		for kind, n := range res.Types {
			total.Types[kind] += n
		}
	}
	return total
}

// Pieces checks that the result for the beginning of a file depends neither on the sizes of the
// pieces, down to single bytes, nor on where reading is resumed.
func Pieces(t *testing.T, newReader NewReader, f *LogFile) {
	t.Helper()
	const enough = 200_000
	begin := Read(newReader, f.Number(t), f.Bytes[:min(enough, len(f.Bytes))])
	f = &LogFile{f.Name, f.Bytes[:begin.End]}
	want := Read(newReader, f.Number(t), f.Bytes)
	same := func(what string, size int, got entries.Result) {
		t.Helper()
		if got != want {
			t.Errorf("%s in %s of %d bytes: %d entries, the last from %d to %d, %v; want %d, from %d to %d",
				f.Name, what, size, got.Entries, got.Last, got.End, got.Problem, want.Entries, want.Last, want.End)
		}
	}
	for _, size := range []int{1, 2, 13, 14, 15, 37, 4096, 65537} {
		r, grown := newReader(f.Number(t)), newReader(f.Number(t))
		for b := f.Bytes; len(b) > 0; b = b[min(size, len(b)):] {
			r.Write(b[:min(size, len(b))])
		}
		same("pieces", size, r.Result())

		// The same for a file that grows, and is read to its end each time.
		from := int64(0)
		for end := size; from < want.End; end += max(size, 997) {
			grown.Write(f.Bytes[from:min(end, len(f.Bytes))])
			from = grown.Resume()
		}
		same("steps", size, grown.Result())
	}
}

// A Change is a changed byte of a file.
type Change struct {
	Offset int // in the file
	Entry  int // offset of its entry
	Type   byte
	From   byte
	To     byte
}

// erasedType is JE's type of an erased entry.
const erasedType = 43

// Place returns the offset of the byte in its entry.
func (c *Change) Place() int { return c.Offset - c.Entry }

// Changes changes a random byte of a random file count times. It checks that each change is
// reported at its entry, or else that excused returns true for it. It returns the number of
// excused changes. (The size of an erased entry has no checksum: the problem is reported later.)
func Changes(t *testing.T, newReader NewReader, files []LogFile, count int, excused func(Change) bool) int {
	t.Helper()
	const seed = 20261123
	random := rand.New(rand.NewPCG(seed, uint64(count)))
	starts, marks := make([][]int, len(files)), make([][]entries.Reader, len(files))
	for i := range files {
		starts[i] = Starts(t, newReader, &files[i])
		marks[i] = readers(newReader(files[i].Number(t)), files[i].Bytes)
	}
	missed := 0
	for range count {
		i := random.IntN(len(files))
		f := &files[i]
		c := Change{Offset: random.IntN(len(f.Bytes))}
		for _, s := range starts[i] {
			if s > c.Offset {
				break
			}
			c.Entry = s
		}
		c.Type, c.From = f.Bytes[c.Entry+4], f.Bytes[c.Offset]
		c.To = c.From ^ byte(1+random.IntN(255))
		f.Bytes[c.Offset] = c.To
		r := marks[i][c.Offset/markEvery] // a Reader at an offset before the change
		r.Write(f.Bytes[c.Offset/markEvery*markEvery:])
		res := r.Result()
		f.Bytes[c.Offset] = c.From
		switch {
		case !res.Problem.Damaged():
			missed++
			say := t.Logf
			if !excused(c) {
				say = t.Errorf
			}
			say("%s: not found: byte %d, at place %d of an entry of type %d, from %02x to %02x",
				f.Name, c.Offset, c.Place(), c.Type, c.From, c.To)
		case res.Problem.Offset != int64(c.Entry) && (c.Type != erasedType || c.Place() < 10 || c.Place() >= 14 || res.Problem.Offset < int64(c.Entry)):
			t.Errorf("%s: byte %d changed, in the entry at %d: found %v", f.Name, c.Offset, c.Entry, res.Problem)
		}
	}
	return missed
}

// markEvery is the number of bytes between two copies in readers.
const markEvery = 64 << 10

// readers returns copies of a Reader at every markEvery bytes of a file.
func readers(r *entries.Reader, b []byte) []entries.Reader {
	var marks []entries.Reader
	for len(b) > 0 {
		marks = append(marks, *r)
		n := min(markEvery, len(b))
		r.Write(b[:n])
		b = b[n:]
	}
	return marks
}

// Starts returns the offsets of the file header and of the entries of an undamaged file. It does
// not use the code of a Reader to find them.
func Starts(t testing.TB, newReader NewReader, f *LogFile) []int {
	t.Helper()
	res := Read(newReader, f.Number(t), f.Bytes)
	starts := []int{0}
	for at := int(res.HeaderSize); at < len(f.Bytes); {
		starts = append(starts, at)
		head := 14
		if f.Bytes[at+5]&0x28 != 0 {
			head = 22
		}
		at += head + int(binary.LittleEndian.Uint32(f.Bytes[at+10:]))
	}
	return starts
}

// Cuts checks that each truncation of a file is reported: from the file itself or, at the end of
// an entry, from the header of the next file. After 100,000 bytes it only tries the ends of
// entries and the bytes next to them.
func Cuts(t *testing.T, newReader NewReader, f, next *LogFile) {
	t.Helper()
	after := Read(newReader, next.Number(t), next.Bytes)
	ends := map[int]bool{}
	for _, s := range Starts(t, newReader, f)[1:] {
		ends[s] = true
	}
	const each = 100_000
	r, read := newReader(f.Number(t)), 0
	for cut := range f.Bytes {
		if cut > each && !ends[cut-1] && !ends[cut] && !ends[cut+1] {
			continue
		}
		r.Write(f.Bytes[read:cut])
		read = cut
		res := r.Result()
		switch p := entries.Chain(&res, &after); {
		case ends[cut] && (res.Problem != nil || p == nil || p.Kind != entries.Missing || !p.Damaged()):
			t.Fatalf("%s cut at %d, the end of an entry: found %v, and by %s %v",
				f.Name, cut, res.Problem, next.Name, p)
		case !ends[cut] && (res.Problem == nil || res.Problem.Kind != entries.Cut || res.Problem.Offset != res.End):
			t.Fatalf("%s cut at %d, after an entry that ends at %d: found %v", f.Name, cut, res.End, res.Problem)
		}
	}
}

// Fuzz reads a file with arbitrary content, in one piece and in two, and checks that the results
// agree and are consistent.
func Fuzz(t *testing.T, newReader NewReader, b []byte, split int) {
	t.Helper()
	want := Read(newReader, entries.AnyNumber, b)
	if want.Size != int64(len(b)) || want.Last > want.End || want.End > want.Size || want.Entries < 0 {
		t.Fatalf("%d bytes: %+v", len(b), want)
	}
	if want.Problem == nil && want.End != want.Size {
		t.Fatalf("no problem, and the last of %d bytes is %d", len(b), want.End)
	}
	if want.Problem != nil && want.Problem.Offset != want.End {
		t.Fatalf("the last entry ends at %d, and %v", want.End, want.Problem)
	}
	split = min(max(split, 0), len(b))
	r := newReader(entries.AnyNumber)
	r.Write(b[:split])
	r.Write(b[split:])
	got := r.Result()
	if _, err := r.Resyncs(t.Context(), bytes.NewReader(b), int64(len(b))); err != nil {
		t.Fatal(err)
	}
	from := r.Resume()
	if from != want.End {
		t.Fatalf("resumes at %d, and the last entry ends at %d", from, want.End)
	}
	r.Write(b[from:])
	for _, got := range []entries.Result{got, r.Result()} {
		if (got.Problem == nil) != (want.Problem == nil) || got.Problem != nil && *got.Problem != *want.Problem {
			t.Fatalf("in two pieces, the first of %d bytes: %v; in one: %v", split, got.Problem, want.Problem)
		}
		got.Problem = want.Problem
		if got != want {
			t.Fatalf("in two pieces, the first of %d bytes: %+v; in one: %+v", split, got, want)
		}
	}
}

// Allocations checks that reading a file allocates no memory.
func Allocations(t *testing.T, newReader NewReader, f *LogFile) {
	t.Helper()
	whole := newReader(f.Number(t))
	n := testing.AllocsPerRun(10, func() {
		r := *whole // a copy at the beginning of the file
		r.Write(f.Bytes[:len(f.Bytes)/3])
		r.Write(f.Bytes[len(f.Bytes)/3:])
		if res := r.Result(); res.Problem != nil {
			t.Fatal(res.Problem)
		}
	})
	if n > 1 { // the copy itself
		t.Errorf("%v allocations for a file of %d entries", n, Read(newReader, f.Number(t), f.Bytes).Entries)
	}
}
