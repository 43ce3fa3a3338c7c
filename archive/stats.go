package archive

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// maxStats is the number of snapshots that Stats considers, the newest: each costs a request.
const maxStats = 1000

// Stats is the size of an archive, and how it has grown.
type Stats struct {
	Snapshots []values.Snapshot // in ascending order, at most the newest thousand; unreadable ones have an Err
	HasMore   bool              // the archive has older snapshots, too
	Stored    []cost.Stored     // the archive's objects by storage class, in the order of the classes
	Growth    *cost.Growth      // nil if the snapshots show none
}

// Bytes is the size of all objects; cost.Unbounded if it does not fit.
func (s *Stats) Bytes() (n int64) {
	for _, c := range s.Stored {
		n = cost.Sum(n, c.Bytes)
	}
	return n
}

// Stats lists the objects of the archive, and reads the summaries of its snapshots. Its errors are those of List.
func (a *Archive) Stats(ctx context.Context) (*Stats, error) { return a.stats(ctx, maxStats) }

func (a *Archive) stats(ctx context.Context, most int) (*Stats, error) {
	defer a.repo.Begin()()
	s := &Stats{}
	var err error
	if s.Snapshots, err = snapshots.List(ctx, a.repo, most+1); err != nil {
		return nil, err
	}
	if s.HasMore = len(s.Snapshots) > most; s.HasMore {
		s.Snapshots = s.Snapshots[1:]
	}
	err = objects.InAnyOrder(func() (err error) {
		s.Stored, err = a.listStored(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the objects: %w", err)
	}
	s.Growth = growthOf(s.Snapshots)
	return s, nil
}

// listStored returns the archive's objects by class. It does not count what has no key of the format.
func (a *Archive) listStored(ctx context.Context) ([]cost.Stored, error) {
	isObject := func(key string) bool { _, ok := manifest.ParseObjectKey(key); return ok }
	stored := []cost.Stored{}
	for _, of := range []struct {
		prefix string
		isOwn  func(key string) bool
	}{
		{manifest.DataPrefix, isObject},
		{manifest.BundlesPrefix, isObject},
		{manifest.PagesPrefix, isObject},
		{manifest.ManifestsPrefix, func(key string) bool { _, ok := manifest.ParseManifestKey(key); return ok }},
		{manifest.LedgerPrefix, func(key string) bool { _, ok := manifest.ParseLedgerKey(key); return ok }},
		{manifest.ProofsPrefix, func(key string) bool { _, _, ok := manifest.ParseProofKey(key); return ok }},
	} {
		for o, err := range a.repo.Store.List(ctx, of.prefix, "", "") {
			if err != nil {
				return nil, err
			}
			if of.isOwn(o.Key) {
				stored = cost.AddStored(stored, o.Class, o.Size)
			}
		}
	}
	return stored, nil
}

// growthOf returns the growth that readable snapshots show.
func growthOf(all []values.Snapshot) *cost.Growth {
	var known []cost.Snapshot
	for i := range all {
		s := &all[i]
		if s.Err != nil {
			continue
		}
		one := cost.Snapshot{
			Sequence: s.Sequence, Created: repo.Effective(s), Bytes: s.Counts.Bytes, Stored: s.Counts.StoredBytes, Added: s.Counts.AddedBytes,
		}
		if s.Parent != nil {
			one.Parent = s.Parent.Sequence
		}
		known = append(known, one)
	}
	return cost.GrowthOf(known)
}
