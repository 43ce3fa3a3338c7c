package repo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A pattern may end with a backslash by mistake. That gets an answer, and does not end the process.
func TestPatternThatEndsWithABackslash(t *testing.T) {
	t.Parallel()
	if begin, isWhole := literal(`a\`); !isWhole || !strings.HasPrefix(begin, "a") {
		t.Errorf("%q, %v", begin, isWhole)
	}
}

// Whatever the pattern is, the chosen pages have every name that it matches. Otherwise a restore would lose files
// silently.
func TestChosenPagesHaveEveryMatch(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	rnd := rand.New(rand.NewPCG(19, 2))
	letters := []string{"a", "b", ".", "/", "*", "?", "[a-b]", `\*`, "..", "é", "1", "[", "data001/", "0000000a.jdb", "./"}
	pattern := func(pieces []string) string {
		var s strings.Builder
		for range 1 + rnd.IntN(5) {
			s.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		return s.String()
	}
	for range 3000 {
		layout := []string{"files", "je"}[rnd.IntN(2)]
		var names []string
		for range 40 {
			n := pattern([]string{"a", "b", ".", "/", "*", "é", "1", ".."})
			if layout == "je" {
				n = fmt.Sprintf("%s%08x.jdb", []string{"", "data001/", "data999/"}[rnd.IntN(3)], rnd.IntN(16))
			}
			if manifest.CheckName(n) == nil {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
		m := &manifest.Manifest{Summary: manifest.Summary{Layout: layout}}
		pageOf := map[string]int{}
		for page := range slices.Chunk(names, 3) {
			for _, n := range page {
				pageOf[n] = len(m.Pages)
			}
			m.Pages = append(m.Pages, manifest.PageRef{First: page[0], Last: page[len(page)-1]})
		}
		p := pattern(letters)
		chosen := PagesFor([]string{p})(m)
		for _, n := range names {
			if matchesPattern(p, n) && !slices.Contains(chosen, pageOf[n]) {
				t.Fatalf("layout %s: the pattern %q matches %q, whose page was not chosen", layout, p, n)
			}
		}
	}
}

// The beginning of a pattern up to its first special character selects the pages, and a literal pattern one page, also
// if its name has characters that are special without a backslash.
func TestPatternsNeedFewPages(t *testing.T) {
	t.Parallel()
	m := &manifest.Manifest{Summary: manifest.Summary{Layout: "files"}, Pages: []manifest.PageRef{
		{First: "*", Last: "*~"}, {First: "a/1", Last: "a/2"}, {First: "a/3", Last: "a/[3]"}, {First: "b/1", Last: "b/2"},
	}}
	for pattern, want := range map[string][]int{
		`./\*`: {0}, `./*`: {0, 1, 2, 3}, "a/15": {1}, "a/*": {1, 2}, `a/\[3\]`: {2}, `a/\[*`: {2}, "a/[3]": {1, 2},
		"b/1..b/9": {3}, "a/2..b/1": {1, 2, 3}, "c/1": nil, "": nil, "./": nil, "1": {0, 1, 2, 3}, "\xff/\xfe": nil,
	} {
		if got := PagesFor([]string{pattern})(m); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", pattern, got, want)
		}
	}
	if got := PagesFor([]string{"b/1", "a/1"})(m); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("two names: %v", got)
	}
	if got := PagesFor([]string{"b/1", "a*"})(m); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("a name, and a pattern of base names: %v", got)
	}
}

// Some layouts name their directories. A manifest whose names are not of its layout was not made by a backup of that
// layout, so the directories are not used.
func TestNamesOfAnotherLayoutNeedAllPages(t *testing.T) {
	t.Parallel()
	m := &manifest.Manifest{Summary: manifest.Summary{Layout: "je"}, Pages: []manifest.PageRef{
		{First: "00000001.jdb", Last: "00000002.jdb"}, {First: "x/00000001.jdb", Last: "x/00000002.jdb"},
	}}
	if got := PagesFor([]string{"00000001.jdb"})(m); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("%v", got)
	}
	m.Pages = m.Pages[:1]
	if got := PagesFor([]string{"00000009.jdb"})(m); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// A file whose name has the form of a range is meant by its name, also if that name is no valid pattern.
func TestNamesLikeRanges(t *testing.T) {
	t.Parallel()
	var files []manifest.File
	for _, name := range []string{"a", "a..c", "b", "d/[..b", "d/a..c", "d/b"} {
		files = append(files, manifest.File{Name: name})
	}
	for pattern, want := range map[string][]string{
		"a..c": {"a..c", "d/a..c"}, "./a..c": {"a..c"}, "d/a..c": {"d/a..c"}, "[..b": {"d/[..b"},
		"a..b": {"a", "a..c", "b", "d/a..c", "d/b"}, "./a..b": {"a", "a..c", "b"},
	} {
		chosen, err := SelectFiles(files, []string{pattern})
		var got []string
		for i := range chosen {
			got = append(got, chosen[i].Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q: %v", pattern, got, want, err)
		}
	}
}
