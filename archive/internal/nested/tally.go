package nested

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// TallyFirst returns the tally of the first objects below a prefix that are in no nested archive.
func TallyFirst(ctx context.Context, a *objects.Objects, prefix string, of func(*store.Object) Tally) (Tally, error) {
	found, err := a.FirstPage(ctx, prefix)
	if err != nil {
		return Tally{}, err
	}
	listing := Nesting{Roots: Roots{}}
	for i := range found {
		listing.See(found[i].Key, of(&found[i]))
	}
	listing.End()
	return listing.Rest, nil
}

// TallyOf returns the tally of an object that no snapshot names.
func TallyOf(o *store.Object) Tally {
	t := Tally{Objects: 1, Other: 1}
	if k, ok := manifest.ParseObjectKey(o.Key); ok {
		t.Greatest = k.Sequence
	}
	return t
}

// FirstSequence is the number of the archive's first snapshot: 1, or in a copy the one after the numbers that
// the copy leaves out, according to the ledger.
func FirstSequence(r *manifest.Record) int64 {
	if r != nil && r.Newest == 0 {
		return r.Removed[len(r.Removed)-1] + 1
	}
	return 1
}

// RemainsAt reports whether the first objects of a directory are an archive's own. Its name alone proves nothing: log
// files of another program may be in a directory "data", and so may other archives.
func RemainsAt(ctx context.Context, a *objects.Objects, dir string) bool {
	first, err := TallyFirst(ctx, a, dir, func(o *store.Object) (own Tally) {
		_, isObject := manifest.ParseObjectKey(o.Key)
		if _, _, isProof := manifest.ParseProofKey(o.Key); isObject || isProof {
			own.Objects = 1
		}
		return own
	})
	return err == nil && first.Objects > 0
}
