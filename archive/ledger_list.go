package archive

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/store"
)

// numbered is an object whose key is a number: a manifest or a ledger record.
type numbered struct {
	n      int64
	object store.Object
}

// onePage is how many objects every provider lists with one request.
const onePage = 1000

// numbers yields the numbered objects below prefix, greatest number first. A short
// history is listed whole, with one request. Of a longer one it lists one directory of
// the key at a time, so that the newest costs four small listings however long the history
// is. Keys that are no numbers are passed over.
func (a *Archive) numbers(ctx context.Context, prefix string, parse func(string) (int64, bool)) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		short, err := a.firstPage(ctx, prefix)
		switch {
		case err != nil:
			yield(numbered{}, err)
			return
		case len(short) == onePage: // there may be more
			a.descend(ctx, prefix, 2, parse, yield)
			return
		}
		for _, o := range slices.Backward(short) {
			if n, ok := parse(o.Key); ok && !yield(numbered{n, o}, nil) {
				return
			}
		}
	}
}

// newestNumbers is numbers for whoever wants a few of the newest: it never begins with
// those of a whole page.
func (a *Archive) newestNumbers(ctx context.Context, prefix string, parse func(string) (int64, bool)) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) { a.descend(ctx, prefix, 2, parse, yield) }
}

// firstPage lists the first objects below a prefix.
func (a *Archive) firstPage(ctx context.Context, prefix string) ([]store.Object, error) {
	var found []store.Object
	for o, err := range a.store.List(ctx, prefix, "", "") {
		if err != nil {
			return nil, err // it says what was listed
		}
		if found = append(found, o); len(found) == onePage {
			break
		}
	}
	return found, nil
}

// isThousand reports whether a directory is one that numbers are in: its name has three digits.
func isThousand(dir string) bool {
	name := strings.TrimSuffix(dir, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return len(name) == 3 && strings.Trim(name, "0123456789") == ""
}

func (a *Archive) descend(ctx context.Context, prefix string, levels int, parse func(string) (int64, bool), yield func(numbered, error) bool) bool {
	var found []store.Object
	for o, err := range a.store.List(ctx, prefix, "/", "") {
		if err != nil {
			yield(numbered{}, err) // it says what was listed
			return false
		}
		found = append(found, o)
	}
	for _, o := range slices.Backward(found) {
		switch {
		case o.IsDir && levels > 0 && !isThousand(o.Key): // another archive may lie here, with any number of objects
		case o.IsDir && levels > 0:
			if !a.descend(ctx, o.Key, levels-1, parse, yield) {
				return false
			}
		case !o.IsDir && levels == 0:
			if n, ok := parse(o.Key); ok && !yield(numbered{n, o}, nil) {
				return false
			}
		}
	}
	return true
}
