package thaw

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// frozenSample is how many objects below each prefix FindFrozen lists: one page of a listing.
const frozenSample = 1000

// FindFrozen implements the method of archive.Archive.
func FindFrozen(ctx context.Context, a *objects.Objects) (class string, found int, _ error) {
	if _, none := a.Store.(store.Classless); none {
		return "", 0, nil
	}
	defer a.Begin()()
	ctx = store.InOrder(ctx)
	for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix} {
		listed := 0
		for o, err := range a.Store.List(ctx, prefix, "", "") {
			if errors.Is(err, store.ErrUnordered) {
				break
			}
			if err != nil {
				return "", 0, err
			}
			if o.Frozen != "" {
				class, found = o.Frozen, found+1
			}
			if listed++; listed == frozenSample {
				break
			}
		}
	}
	return class, found, nil
}

// FrozenWarning returns what FindFrozen found in words, and "" if it found nothing.
func FrozenWarning(ctx context.Context, a *objects.Objects) (string, error) {
	if store.FrozenClass(a.Store) != "" {
		return "", nil // that is wanted
	}
	class, n, err := FindFrozen(ctx, a)
	if n == 0 || err != nil {
		return "", err
	}
	const text = "of the first objects, %d are in the storage class %s and must be thawed before a restore"
	return fmt.Sprintf(text, n, class), nil
}
