package manifest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// version gives a cheap entry: CutPages only compares entries.
func version(number, version int) File {
	return File{Name: fmt.Sprintf("%08x.jdb", number), Size: int64(version)}
}

// every gives n entries with room for others between them.
func every(step, n int) []File {
	files := make([]File, n)
	for i := range files {
		files[i] = version(step*(i+1), 0)
	}
	return files
}

// paged makes the pages of the next parent from pieces, without storing them.
func paged(pieces []Piece) []Page {
	var pages []Page
	for _, p := range pieces {
		ref := PageRef{Count: len(p.Files), First: p.Files[0].Name, Last: p.Files[len(p.Files)-1].Name}
		if p.Kept != nil {
			ref = *p.Kept
		} else {
			ref.Object = fmt.Sprintf("%s-%d", ref.First, rand.Uint64())
		}
		pages = append(pages, Page{ref, p.Files})
	}
	return pages
}

// checkPieces fails unless pieces are the list, in pages of the right size, and those
// kept are the parent's as they were. It counts the parent's pages that were not kept
// and the new ones.
func checkPieces(t interface {
	Helper()
	Fatalf(string, ...any)
}, files []File, parent []Page, pieces []Piece,
) (touched, created int) {
	t.Helper()
	if len(files) <= MaxInline {
		if pieces != nil {
			t.Fatalf("%d entries are cut into pages", len(files))
		}
		return len(parent), 0
	}
	old := map[string]*Page{}
	for i := range parent {
		old[parent[i].Ref.Object] = &parent[i]
	}
	var union []File
	for i, p := range pieces {
		if n := len(p.Files); n < MinPage || n > MaxPage {
			t.Fatalf("page %d of %d has %d entries", i+1, len(pieces), n)
		}
		union = append(union, p.Files...)
		if p.Kept == nil {
			created++
			continue
		}
		was := old[p.Kept.Object]
		if was == nil || was.Ref != *p.Kept || !sameFiles(was.Files, p.Files) {
			t.Fatalf("page %d is not the one that is kept", i+1)
		}
		delete(old, p.Kept.Object)
	}
	if !sameFiles(union, files) {
		t.Fatalf("the pages have %d entries, the list %d, or others", len(union), len(files))
	}
	return len(old), created
}

// Over many generations of any edits: the pages are the list and have the right size,
// n changes cost at most 2n pages, and no change costs none.
func TestCutPagesHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		next := 8_000_000
		files := every(1000, rapid.SampledFrom([]int{0, 1, 249, 250, 251, 500, 1000, 1001, 1501, 4000}).Draw(t, "files"))
		var parent []Page
		for range rapid.IntRange(1, 12).Draw(t, "generations") {
			files = slices.Clone(files)
			edits := 0
			for range rapid.IntRange(0, 4).Draw(t, "edits") {
				var n int
				files, n = edit(t, files, &next)
				edits += n
			}
			pieces := CutPages(files, parent)
			touched, created := checkPieces(t, files, parent, pieces)
			if len(parent) > 0 && len(pieces) > 0 && touched > 2*edits {
				t.Fatalf("%d edits touched %d pages", edits, touched)
			}
			if len(parent) > 0 && edits == 0 && touched+created > 0 {
				t.Fatalf("nothing changed, %d pages gone and %d made", touched, created)
			}
			parent = paged(pieces)
		}
	})
}

// edit makes one kind of change and returns the number of changed entries.
func edit(t *rapid.T, files []File, next *int) ([]File, int) {
	size := rapid.SampledFrom([]int{1, 2, 10, 300, 1200}).Draw(t, "size")
	kind := rapid.SampledFrom([]string{"append", "insert", "delete run", "delete", "modify"}).Draw(t, "kind")
	if kind == "append" || len(files) == 0 {
		for range size {
			*next++
			files = append(files, version(*next, 0))
		}
		return files, size
	}
	at := rapid.IntRange(0, len(files)-1).Draw(t, "at")
	changed := 0
	switch kind {
	case "insert":
		var number int
		if _, err := fmt.Sscanf(files[at].Name, "%08x", &number); err != nil {
			t.Fatal(err)
		}
		for range size {
			number--
			f := version(number, 0)
			if i, found := slices.BinarySearchFunc(files, f.Name, func(f File, s string) int { return strings.Compare(f.Name, s) }); !found && number > 0 {
				files = slices.Insert(files, i, f)
				changed++
			}
		}
	case "delete run":
		changed = min(size, len(files)-at)
		files = slices.Delete(files, at, at+changed)
	case "delete":
		files, changed = slices.Delete(files, at, at+1), 1
	case "modify":
		changed = min(size, len(files)-at)
		for i := range changed {
			files[at+i].Size++
		}
	}
	return files, changed
}

// The bound for a single change, by trying every place in pages of every critical size:
// it touches at most two pages of the parent and makes at most two.
func TestCutPagesOneChange(t *testing.T) {
	t.Parallel()
	sizes := []int{250, 251, 500, 999, 1000}
	if testing.Short() {
		sizes = []int{250, 251, 1000}
	}
	maxTouched, maxCreated := 0, 0
	for i := range len(sizes) * len(sizes) * len(sizes) {
		shape := []int{sizes[i%len(sizes)], sizes[i/len(sizes)%len(sizes)], sizes[i/len(sizes)/len(sizes)]}
		files := every(2, shape[0]+shape[1]+shape[2])
		var pieces []Piece
		lo := 0
		for _, n := range shape {
			pieces = append(pieces, Piece{Files: files[lo : lo+n]})
			lo += n
		}
		parent := paged(pieces)
		places := []int{0, 1, shape[0] - 1, shape[0], shape[0] + 1, shape[0] + shape[1] - 1, shape[0] + shape[1], len(files) - 1, len(files)}
		for _, at := range places {
			for kind := range 3 {
				changed := slices.Clone(files)
				switch {
				case kind == 0:
					changed = slices.Insert(changed, at, version(2*at+1, 0))
				case at == len(files):
					continue
				case kind == 1:
					changed = slices.Delete(changed, at, at+1)
				default:
					changed[at].Size++
				}
				touched, created := checkPieces(t, changed, parent, CutPages(changed, parent))
				if touched == 0 || created == 0 {
					t.Fatalf("%v: nothing happened at %d", shape, at)
				}
				maxTouched, maxCreated = max(maxTouched, touched), max(maxCreated, created)
			}
		}
	}
	if maxTouched != 2 || maxCreated != 2 {
		t.Errorf("one change touches up to %d pages and makes up to %d", maxTouched, maxCreated)
	}
}

func TestCutPagesEdges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ n, pages int }{{0, 0}, {250, 0}, {251, 1}, {1000, 1}, {1001, 2}, {1500, 2}, {1501, 3}, {200_000, 267}} {
		files := every(1, test.n)
		pieces := CutPages(files, nil)
		checkPieces(t, files, nil, pieces)
		if len(pieces) != test.pages {
			t.Errorf("%d entries: %d pages, want %d", test.n, len(pieces), test.pages)
		}
	}
	// From pages to none and back.
	files := every(1, 251)
	parent := paged(CutPages(files, nil))
	if CutPages(files[1:], parent) != nil {
		t.Error("250 entries need no pages")
	}
	// Nothing of the parent is left, or all of it is.
	others := every(1, 900)
	for i := range others {
		others[i] = version(1_000_000+i, 0)
	}
	if touched, created := checkPieces(t, others, parent, CutPages(others, parent)); touched != 1 || created != 1 {
		t.Error(touched, created)
	}
	both := slices.Concat(files, others)
	if touched, created := checkPieces(t, both, parent, CutPages(both, parent)); touched != 1 || created != 2 {
		t.Error(touched, created)
	}
}

// A log that grows at its end and is cleaned at its beginning, as real ones do.
func TestCutPagesOfALog(t *testing.T) {
	t.Parallel()
	const n = 500
	files := every(1, 3000)
	parent := paged(CutPages(files, nil))
	cost := 0
	for i := range n {
		files = append(files[1:], version(3001+i, 0))
		pieces := CutPages(files, parent)
		_, created := checkPieces(t, files, parent, pieces)
		cost += created
		parent = paged(pieces)
	}
	if cost > n*2+5 {
		t.Errorf("%d pages made for %d snapshots", cost, n)
	}
	t.Logf("%d pages made for %d snapshots of two changes each; %d pages in the end", cost, n, len(parent))
}
