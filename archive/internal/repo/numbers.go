package repo

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/store"
)

// Numbered is an object whose key is a number: a manifest or a ledger record.
type Numbered struct {
	Number int64
	Object store.Object
}

// Numbers yields the numbered objects below prefix, greatest number first. It lists a short history whole,
// with one request. It lists a longer one a directory at a time, so the newest object costs four small
// listings, whatever the length of the history. It skips keys that are not numbers.
func (a *Repo) Numbers(ctx context.Context, prefix string, parse func(string) (int64, bool)) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) {
		short, err := a.FirstPage(ctx, prefix)
		switch {
		case err != nil:
			yield(Numbered{}, err)
			return
		case len(short) == objects.OnePage: // there may be more
			a.descend(ctx, prefix, 2, parse, yield)
			return
		}
		for _, o := range slices.Backward(short) {
			if n, ok := parse(o.Key); ok && !yield(Numbered{n, o}, nil) {
				return
			}
		}
	}
}

// NewestNumbers is Numbers for callers that need only a few of the newest: it never lists a whole page first.
func (a *Repo) NewestNumbers(ctx context.Context, prefix string, parse func(string) (int64, bool)) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) { a.descend(ctx, prefix, 2, parse, yield) }
}

// isThousand reports whether a directory can hold numbers: its name has three digits.
func isThousand(dir string) bool {
	name := strings.TrimSuffix(dir, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return len(name) == 3 && strings.Trim(name, "0123456789") == ""
}

func (a *Repo) descend(ctx context.Context, prefix string, levels int, parse func(string) (int64, bool), yield func(Numbered, error) bool) bool {
	var found []store.Object
	for o, err := range a.Store.List(ctx, prefix, "/", "") {
		if err != nil {
			yield(Numbered{}, err) // the store's error names what was listed
			return false
		}
		found = append(found, o)
	}
	for _, o := range slices.Backward(found) {
		switch {
		case o.IsDir && levels > 0 && !isThousand(o.Key): // possibly a nested archive, with any number of objects
		case o.IsDir && levels > 0:
			if !a.descend(ctx, o.Key, levels-1, parse, yield) {
				return false
			}
		case !o.IsDir && levels == 0:
			if n, ok := parse(o.Key); ok && !yield(Numbered{n, o}, nil) {
				return false
			}
		}
	}
	return true
}
