package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/store"
)

// Below returns the archives below an address that has none itself, in the order of their depth, then of their keys,
// with their newest snapshots. It does not search within archives. Complete reports whether the whole address was
// searched.
func (a *Archive) Below(ctx context.Context) (found []Below, complete bool, err error) {
	return snapshots.Below(ctx, a.repo)
}

// FindNested returns the prefix of a nested archive that an object may belong to, or "" if there is none. An
// archive begins at the prefix, and the rest of the key has the form of an archive's key. For most keys it
// sends no request. Stores use it for keys that listings do not show.
func FindNested(ctx context.Context, s store.Store, key string) (prefix string, err error) {
	return nested.FindNested(ctx, s, key)
}

// IsArchiveKey reports whether a key begins like a key of an archive.
func IsArchiveKey(key string) bool {
	return nested.IsArchiveKey(key)
}
