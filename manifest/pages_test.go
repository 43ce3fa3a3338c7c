package manifest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func TestPageCodec(t *testing.T) {
	t.Parallel()
	c := NewPageCodec()
	files := manyFiles(300)
	files[7].Parts[0].Object = BundleKey(content("b"), 1) // whose key does not contain the name
	files[7].Parts[0].Size, files[7].Size = 5, 5
	files[7].Parts[0].Stored = StoredSums{Size: 5, Offset: new(int64(0))}
	ref, stored, err := c.Encode(files, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Decode(stored, &ref, 3); err != nil || !sameFiles(got, files) {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fault  string
		change func(ref *PageRef, stored *[]byte)
	}{
		{"stored bytes hash to", func(_ *PageRef, b *[]byte) { *b = (*b)[:len(*b)-1] }},
		{"stored bytes hash to", func(_ *PageRef, b *[]byte) { *b = nil }},
		{"stored bytes hash to", func(_ *PageRef, b *[]byte) { *b = append(slices.Clone(*b), 0) }},
		{"stored bytes hash to", func(_ *PageRef, b *[]byte) { *b = slices.Clone(*b); (*b)[99] ^= 1 }},
		{"decompressing", func(r *PageRef, b *[]byte) { *b = []byte("no zstd"); r.Stored = StoredSumsOf(*b) }},
		{"decompressing", func(r *PageRef, b *[]byte) { *b = (*b)[:len(*b)/2]; r.Stored = StoredSumsOf(*b) }},
		{"content hashes to", func(r *PageRef, _ *[]byte) { r.SHA256 = content("x"); r.Object = PageKey(r.SHA256, 1) }},
		{"key of other content", func(r *PageRef, _ *[]byte) { r.SHA256 = content("x") }},
		{"first or last name", func(r *PageRef, _ *[]byte) { r.First = "0" }},
		{"first or last name", func(r *PageRef, _ *[]byte) { r.Last = "1" }},
		{"more follows", func(r *PageRef, _ *[]byte) { r.Count-- }},
		{"too early", func(r *PageRef, _ *[]byte) { r.Count++ }},
		{"a page has", func(r *PageRef, _ *[]byte) { r.Count = 0 }},
		{"a page has", func(r *PageRef, _ *[]byte) { r.Count = -1 }},
		{"a page has", func(r *PageRef, _ *[]byte) { r.Count = 1e12 }},
	} {
		r, b := ref, stored
		test.change(&r, &b)
		got, err := c.Decode(b, &r, 3)
		if got != nil {
			t.Errorf("%q: entries beside the error", test.fault)
		}
		wantFault(t, err, test.fault)
	}
	for _, test := range []struct {
		fault  string
		change func(files []File) []File
	}{
		{"a page has", func(files []File) []File { return files[:249] }},
		{"a page has", func(files []File) []File { return manyFiles(1001) }},
		{"out of order", func(files []File) []File { files[3], files[4] = files[4], files[3]; return files }},
		{"twice", func(files []File) []File { files[3] = files[4]; return files }},
		{"element ..", func(files []File) []File { files[7].Name = "../x"; return files }},
		{"is not between 1 and 3", func(files []File) []File { files[3].Snapshot = 4; return files }},
		{"letter case", func(files []File) []File {
			files[10] = plainFile("0000000A.jdb", 1, 1)
			return sorted(files, "0000000a.jdb")
		}},
	} {
		list := test.change(slices.Clone(files))
		_, _, err := c.Encode(list, 3)
		wantFault(t, err, test.fault)
		// The same, from an encoder that encodes all pages.
		var plain []byte
		for i := range list {
			plain = append(plain, rawJSON(t, &list[i])...)
		}
		r, b := pageOf(plain, len(list), list[0].Name, list[len(list)-1].Name)
		_, err = c.Decode(b, &r, 3)
		wantFault(t, err, test.fault)
	}
	for _, sequence := range []int64{-1, 0, 1e9} {
		if _, _, err := c.Encode(manyFiles(250), sequence); err == nil {
			t.Errorf("a page for snapshot %d", sequence)
		}
	}
}

// sorted adds a file of this name and puts the list in order.
func sorted(files []File, name string) []File {
	files = append(files, plainFile(name, 1, 1))
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// pageOf is a page with this content, whatever it is.
func pageOf(plain []byte, count int, first, last string) (PageRef, []byte) {
	e, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer e.Close()
	return refOf(plain, e.EncodeAll(plain, nil), count, first, last)
}

func refOf(plain, stored []byte, count int, first, last string) (PageRef, []byte) {
	h := Sum(plain)
	return PageRef{PageKey(h, 1), h, StoredSumsOf(stored), count, first, last}, stored
}

// A page is JSON Lines, so that jq and line tools read it.
func TestPageLines(t *testing.T) {
	t.Parallel()
	line := strings.TrimSuffix(string(rawJSON(t, plainFile("a", 1, 1))), "\n")
	other := strings.TrimSuffix(string(rawJSON(t, plainFile("b", 1, 1))), "\n")
	for plain, ok := range map[string]bool{
		line + "\n" + other + "\n":                                 true,
		" " + line + "\n" + other + "\n":                           true,
		line + "\n" + other:                                        false,
		line + other + "\n":                                        false,
		line + " \n" + other + "\n":                                false,
		line + "\n\n" + other + "\n":                               false,
		line + "\n" + other + "\n\n":                               false,
		line + "\r\n" + other + "\r\n":                             false,
		line + "\n" + strings.Replace(other, ",", ",\n", 1) + "\n": false,
		line + "\n" + other + "\n{}\n":                             false,
		line + "\n" + line + "\n":                                  false,
		other + "\n" + line + "\n":                                 false,
		"[" + line + ",\n" + other + "]\n":                         false,
	} {
		if _, err := decodePage([]byte(plain), 2, 1); (err == nil) != ok {
			t.Errorf("%q: %v", plain, err)
		}
	}
}

// Bombs: little that is stored, much that it becomes. Neither the size that a frame claims nor its
// content may cost more than the limit of a page, a few times over.
func TestZstdBombs(t *testing.T) {
	zeros := func(n int, options ...zstd.EOption) []byte {
		e, err := zstd.NewWriter(nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return e.EncodeAll(make([]byte, n), nil)
	}
	// A frame without its content size, made by a stream.
	stream := func(n int) []byte {
		var b strings.Builder
		e, err := zstd.NewWriter(&b, zstd.WithWindowSize(8<<20))
		if err != nil {
			t.Fatal(err)
		}
		for chunk := make([]byte, 1<<20); n > 0; n -= len(chunk) {
			if _, err := e.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return []byte(b.String())
	}
	skippable := func(claimed uint32, n int) []byte {
		b := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
		return append(binary.LittleEndian.AppendUint32(b, claimed), make([]byte, n)...)
	}
	// Magic number, a window of 1 GiB or a content size of 2^62, one empty last block.
	hugeWindow := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00}
	hugeClaim := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0x00, 0x00}
	good, _, err := NewPageCodec().Encode(manyFiles(250), 1)
	if err != nil {
		t.Fatal(err)
	}
	c := NewPageCodec()
	for what, stored := range map[string][]byte{
		"one frame":             zeros(256 << 20),
		"one byte too much":     zeros(MaxPageBytes + 1),
		"of unknown size":       stream(256 << 20),
		"many frames":           slices.Repeat(zeros(1<<20), 256),
		"many of unknown size":  slices.Repeat(stream(8<<20), 32),
		"many that just fit":    slices.Repeat(zeros(MaxPageBytes), 8),
		"of single segments":    slices.Repeat(zeros(1<<20, zstd.WithSingleSegment(true)), 64),
		"empty frames":          slices.Repeat(zeros(0, zstd.WithZeroFrames(true)), 100_000),
		"skippable frames":      slices.Repeat(skippable(0, 0), 100_000),
		"a skippable claim":     skippable(1<<32-1, 10),
		"skippable, then bombs": slices.Concat(skippable(100, 100), zeros(64<<20), skippable(100, 100), zeros(64<<20)),
		"a huge window":         hugeWindow,
		"a huge claim":          hugeClaim,
	} {
		ref := good
		ref.Stored = StoredSumsOf(stored)
		if len(stored) > MaxPageBytes {
			t.Fatalf("%s: %d bytes", what, len(stored))
		}
		total := allocated(func() {
			if _, err := c.Decode(stored, &ref, 1); err == nil {
				t.Errorf("%s: accepted", what)
			}
		})
		t.Logf("%s: %d bytes stored, %d KiB allocated in all", what, len(stored), total>>10)
		if total > 10*MaxPageBytes {
			t.Errorf("%s: %d bytes allocated", what, total)
		}
	}
}

func TestPagesRoundTrip(t *testing.T) {
	t.Parallel()
	c := NewPageCodec()
	rapid.Check(t, func(t *rapid.T) {
		sequence := rapid.Int64Range(1, MaxSequence).Draw(t, "sequence")
		files := genFiles(4, sequence).Draw(t, "files")
		for i := len(files); i < MinPage; i++ { // rapid's are few: the rest is plain
			files = append(files, plainFile(fmt.Sprintf("\U0010fffd%04d", i), 1, int64(i)))
		}
		ref, stored, err := c.Encode(files, sequence)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decode(stored, &ref, sequence)
		if err != nil || !sameFiles(got, files) {
			t.Fatalf("%v", err)
		}
		again, _, err := c.Encode(got, sequence)
		if err != nil || again != ref {
			t.Fatalf("%+v, %v, not %+v", again, err, ref)
		}
	})
}

// A reader of one file fetches the pages that PagesBetween returns: one too few and the file is missing.
func TestPagesBetween(t *testing.T) {
	t.Parallel()
	m := &Manifest{Pages: []PageRef{{First: "b", Last: "d"}, {First: "f", Last: "h"}, {First: "j", Last: "l"}}}
	for _, c := range []struct {
		from, through string
		lo, hi        int
	}{
		{"a", "a", 0, 0},
		{"b", "b", 0, 1},
		{"d", "d", 0, 1},
		{"e", "e", 1, 1},
		{"g", "g", 1, 2},
		{"d", "f", 0, 2},
		{"e", "i", 1, 2},
		{"a", "z", 0, 3},
		{"l", "z", 2, 3},
		{"m", "z", 3, 3},
		{"k", "c", 2, 2}, // an empty range
	} {
		if lo, hi := m.PagesBetween(c.from, c.through); lo != c.lo && lo != hi || hi != c.hi {
			t.Errorf("from %q through %q: %d to %d", c.from, c.through, lo, hi)
		}
	}
}
