package archive

import (
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
)

// maxStats is the number of snapshots that Stats considers, the newest: each costs a request.
const maxStats = 1000

// Stats is the size of an archive, and how it has grown.
type Stats struct {
	Snapshots []Snapshot    // in ascending order, at most the newest thousand; unreadable ones have an Err
	HasMore   bool          // the archive has older snapshots, too
	Stored    []cost.Stored // the archive's objects by storage class, in the order of the classes
	Content   []StoredKind  // the same objects by kind and encoding
	Unique    Unique        // the different contents among the objects with log files
	Growth    *cost.Growth  // nil if the snapshots show none
}

// Bytes is the size of all objects; cost.Unbounded if it does not fit.
func (s *Stats) Bytes() (n int64) {
	for _, c := range s.Stored {
		n = cost.Sum(n, c.Bytes)
	}
	return n
}

// Unreadable is the number of snapshots that cannot be read. No figure but the objects' includes them.
func (s *Stats) Unreadable() (n int) {
	for i := range s.Snapshots {
		if s.Snapshots[i].Err != nil {
			n++
		}
	}
	return n
}

// SnapshotBytes is the size of the files of all readable snapshots, as if each were restored by itself; cost.Unbounded
// if it does not fit.
func (s *Stats) SnapshotBytes() (n int64) {
	for i := range s.Snapshots {
		if one := &s.Snapshots[i]; one.Err == nil {
			n = cost.Sum(n, max(0, one.Counts.Bytes))
		}
	}
	return n
}

// Newest is the newest readable snapshot; nil if there is none.
func (s *Stats) Newest() *Snapshot {
	for i := range slices.Backward(s.Snapshots) {
		if s.Snapshots[i].Err == nil {
			return &s.Snapshots[i]
		}
	}
	return nil
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
	if err := objects.InAnyOrder(func() error { return a.tally(ctx, s) }); err != nil {
		return nil, fmt.Errorf("listing the objects: %w", err)
	}
	s.Growth = growthOf(s.Snapshots)
	return s, nil
}

// growthOf returns the growth that readable snapshots show.
func growthOf(all []Snapshot) *cost.Growth {
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
