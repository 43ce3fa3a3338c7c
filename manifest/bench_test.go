package manifest

import "testing"

// BenchmarkDecode reads a snapshot of 20,000 files: its manifest, its pages, and the
// check of the whole list. The target is far less than 0.15 s.
func BenchmarkDecode(b *testing.B) {
	files := manyFiles(20_000)
	c := NewPageCodec()
	m := testManifest()
	m.Sequence, m.Parent, m.Files = 1, nil, files
	recount(m)
	m.Files = nil
	var pages [][]byte
	total := 0
	for _, p := range CutPages(files, nil) {
		ref, stored, err := c.Encode(p.Files, 1)
		if err != nil {
			b.Fatal(err)
		}
		m.Pages = append(m.Pages, ref)
		pages = append(pages, stored)
		total += len(stored)
	}
	data := mustEncode(b, m)
	b.Logf("%d pages of %d bytes, a manifest of %d bytes", len(pages), total, len(data))
	b.ReportAllocs()
	for b.Loop() {
		got, err := DecodeManifest(data, 1)
		if err != nil {
			b.Fatal(err)
		}
		all := make([]File, 0, got.Counts.Files)
		for i := range got.Pages {
			files, err := c.Decode(pages[i], &got.Pages[i], 1)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, files...)
		}
		if err := got.CheckFiles(all); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCutPages plans the pages of a snapshot with one new file among 20,000.
func BenchmarkCutPages(b *testing.B) {
	files := manyFiles(20_000)
	parent := paged(CutPages(files, nil))
	files = append(files, plainFile("zzzzzzzz.jdb", 1, 1))
	b.ReportAllocs()
	for b.Loop() {
		CutPages(files, parent)
	}
}

func BenchmarkEncodePage(b *testing.B) {
	files := manyFiles(1000)
	c := NewPageCodec()
	b.ReportAllocs()
	for b.Loop() {
		_, stored, err := c.Encode(files, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(stored)))
	}
}

func BenchmarkDecodeSummary(b *testing.B) {
	data := mustEncode(b, testManifest())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeSummary(data, 42); err != nil {
			b.Fatal(err)
		}
	}
}
