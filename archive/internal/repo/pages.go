package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// ReadPages reads the chosen pages of a manifest. It takes those that the cached newest manifest shares from
// memory.
func (a *Repo) ReadPages(ctx context.Context, m *manifest.Manifest, chosen []int) ([]manifest.Page, error) {
	pages := make([]manifest.Page, len(chosen))
	have := map[string]manifest.Page{}
	a.mu.Lock()
	if a.known != nil {
		for _, p := range a.known.Pages {
			have[p.Ref.Object] = p
		}
	}
	a.mu.Unlock()
	return pages, objects.EachIndex(ctx, a.Transfers, len(chosen), func(ctx context.Context, i int) (err error) {
		ref := &m.Pages[chosen[i]]
		pages[i].Ref = *ref
		if p, ok := have[ref.Object]; ok && p.Ref == *ref && p.Files != nil {
			pages[i].Files = p.Files
			return nil
		}
		pages[i].Files, err = a.ReadPage(ctx, ref, m.Sequence)
		return err
	})
}

func (a *Repo) ReadPage(ctx context.Context, ref *manifest.PageRef, sequence int64) ([]manifest.File, error) {
	var files []manifest.File
	b, err := a.Get(ctx, ref.Object, manifest.MaxPageBytes, func(b []byte) (err error) {
		files, err = a.Codec.Decode(b, ref, sequence)
		return err
	})
	if err != nil && (b != nil || errors.Is(err, fs.ErrNotExist)) {
		err = &BadObject{ref.Object, err}
	}
	return files, err
}

// BadObject is the error of an object that a manifest needs and that is missing or damaged.
type BadObject struct {
	Key string
	Err error
}

func (b *BadObject) Error() string { return fmt.Sprintf("%s: %v: %v", b.Key, values.ErrDamaged, b.Err) }

func (b *BadObject) Unwrap() []error { return []error{values.ErrDamaged, b.Err} }

// JoinPages returns the entries of all pages in one slice, and makes the pages share its memory.
func JoinPages(pages []manifest.Page) []manifest.File {
	n := 0
	for i := range pages {
		n += len(pages[i].Files)
	}
	files := make([]manifest.File, 0, n)
	for i := range pages {
		files = append(files, pages[i].Files...)
		pages[i].Files = files[len(files)-len(pages[i].Files):]
	}
	return files
}

// PageChoice returns the pages of a manifest that an operation needs, by index in ascending order.
type PageChoice func(m *manifest.Manifest) []int

// AllPages is the choice of an operation on the whole snapshot.
func AllPages(m *manifest.Manifest) []int {
	all := make([]int, len(m.Pages))
	for i := range all {
		all[i] = i
	}
	return all
}

// NoPages is the choice of an operation on the manifest alone.
func NoPages(*manifest.Manifest) []int { return nil }

// PagesOf chooses the pages that can have some names.
func PagesOf(names []string) PageChoice {
	return func(m *manifest.Manifest) []int {
		ranges := make([]nameRange, len(names))
		for i, name := range names {
			ranges[i] = nameRange{name, name}
		}
		return pagesIn(m, ranges)
	}
}

// PagesFor chooses the pages that can have a name which the patterns of a restore include.
func PagesFor(include []string) PageChoice {
	return func(m *manifest.Manifest) []int {
		if len(include) == 0 {
			return AllPages(m)
		}
		var ranges []nameRange
		for _, pattern := range include {
			can, ok := rangesOf(m, pattern)
			if !ok {
				return AllPages(m)
			}
			ranges = append(ranges, can...)
		}
		return pagesIn(m, ranges)
	}
}

// nameRange has the names from one to another in byte order, both included.
type nameRange struct{ from, through string }

func pagesIn(m *manifest.Manifest, ranges []nameRange) []int {
	isChosen := make([]bool, len(m.Pages))
	for _, r := range ranges {
		lo, hi := m.PagesBetween(r.from, r.through)
		for i := lo; i < hi; i++ {
			isChosen[i] = true
		}
	}
	var chosen []int
	for i, is := range isChosen {
		if is {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// rangesOf returns ranges that have every name of a snapshot that a pattern matches, as matchesPattern does. ok is false
// if it may match a name in any directory: a pattern without a slash is compared with base names.
func rangesOf(m *manifest.Manifest, pattern string) (ranges []nameRange, ok bool) {
	const last = "\xff" // after every name, since names are valid UTF-8
	pattern, isWhole := cutWhole(pattern)
	begin, isLiteral := literal(pattern)
	ranges = []nameRange{{begin, begin}}
	if !isLiteral {
		ranges[0].through += last
	}
	if from, through, isRange := cutRange(pattern); isRange {
		ranges = append(ranges, nameRange{from, through})
	}
	if isWhole {
		return ranges, true
	}
	dirs := directoriesOf(m)
	inAny := make([]nameRange, 0, len(dirs)*len(ranges))
	for _, dir := range dirs {
		for _, r := range ranges {
			inAny = append(inAny, nameRange{dir + r.from, dir + r.through})
		}
	}
	return inAny, dirs != nil
}

// literal returns how each name begins that path.Match matches with a pattern, and whether that is the whole name.
func literal(pattern string) (begin string, isWhole bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return b.String(), false
		case '\\':
			i = min(i+1, len(pattern)-1)
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), true
}

// directoriesOf returns the directories that the names of a snapshot can have by its layout, each with a slash at its
// end; nil if they are not known. The archive does not have the pattern of a layout that has one.
func directoriesOf(m *manifest.Manifest) []string {
	layout, err := source.NewLayout(source.LayoutOptions{Name: m.Layout})
	if err != nil {
		return nil
	}
	for i := range m.Pages {
		if p := &m.Pages[i]; !layout.Match(p.First) || !layout.Match(p.Last) {
			return nil // no backup of this layout has made it
		}
	}
	return layout.Directories()
}

// WithPages returns m if it has the entries of all pages that an operation needs, and otherwise a manifest that has
// them.
func (a *Repo) WithPages(ctx context.Context, m *manifest.Manifest, needed PageChoice) (*manifest.Manifest, error) {
	if m.IsWhole() {
		return m, nil
	}
	chosen, has := needed(m), true
	for _, i := range chosen {
		has = has && m.HasPage(i)
	}
	if has {
		return m, nil
	}
	more := *m
	if _, err := a.fillFiles(ctx, &more, chosen); err != nil {
		return nil, a.ExplainDamage(ctx, m, err)
	}
	return &more, nil
}
