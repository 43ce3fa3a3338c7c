package objects

import (
	"context"
	"errors"

	"github.com/strongroom-dev/strongroom/store"
)

// OnePage is the number of objects that every provider can list with one request.
const OnePage = 1000

// InAnyOrder calls do once more if the store turns out, in the middle of a listing, not to list in the order of the
// keys. From then on it sorts its listings. Operations that only read use it; those that write need store.InOrder.
func InAnyOrder(do func() error) error {
	err := do()
	if errors.Is(err, store.ErrUnordered) {
		err = do()
	}
	return err
}

// FirstPage lists the first objects below a prefix.
func (a *Objects) FirstPage(ctx context.Context, prefix string) ([]store.Object, error) {
	var found []store.Object
	for o, err := range a.Store.List(ctx, prefix, "", "") {
		if err != nil {
			return nil, err // the store's error names what was listed
		}
		if found = append(found, o); len(found) == OnePage {
			break
		}
	}
	return found, nil
}
