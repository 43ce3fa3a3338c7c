package archive

import (
	"context"
	"errors"
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

// onePage is the number of objects that every provider can list with one request.
const onePage = 1000

// inAnyOrder calls do once more if the store turns out, in the middle of a listing, not to list in the order of the
// keys. From then on it sorts its listings. Operations that only read use it; those that write need store.InOrder.
func inAnyOrder(do func() error) error {
	err := do()
	if errors.Is(err, store.ErrUnordered) {
		err = do()
	}
	return err
}

// numbers yields the numbered objects below prefix, greatest number first. It lists a short history whole,
// with one request. It lists a longer one a directory at a time, so the newest object costs four small
// listings, whatever the length of the history. It skips keys that are not numbers.
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

// newestNumbers is numbers for callers that need only a few of the newest: it never lists a whole page first.
func (a *Archive) newestNumbers(ctx context.Context, prefix string, parse func(string) (int64, bool)) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) { a.descend(ctx, prefix, 2, parse, yield) }
}

// firstPage lists the first objects below a prefix.
func (a *Archive) firstPage(ctx context.Context, prefix string) ([]store.Object, error) {
	var found []store.Object
	for o, err := range a.store.List(ctx, prefix, "", "") {
		if err != nil {
			return nil, err // the store's error names what was listed
		}
		if found = append(found, o); len(found) == onePage {
			break
		}
	}
	return found, nil
}

// isThousand reports whether a directory can hold numbers: its name has three digits.
func isThousand(dir string) bool {
	name := strings.TrimSuffix(dir, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return len(name) == 3 && strings.Trim(name, "0123456789") == ""
}

func (a *Archive) descend(ctx context.Context, prefix string, levels int, parse func(string) (int64, bool), yield func(numbered, error) bool) bool {
	var found []store.Object
	for o, err := range a.store.List(ctx, prefix, "/", "") {
		if err != nil {
			yield(numbered{}, err) // the store's error names what was listed
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
			if n, ok := parse(o.Key); ok && !yield(numbered{n, o}, nil) {
				return false
			}
		}
	}
	return true
}
