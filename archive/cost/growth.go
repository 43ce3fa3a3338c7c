package cost

import (
	"math/big"
	"time"
)

const (
	// growthWindow is the part of the history that a forecast considers. The growth of long ago shows little.
	growthWindow = 90 * 24 * time.Hour
	// A forecast needs this many snapshots over this time, and this time between snapshots and their predecessors. The
	// last 96 snapshots of a schedule of 15 minutes are a little less than a day.
	LeastSnapshots = 3
	LeastSpan      = 20 * time.Hour
	LeastMeasured  = time.Hour

	day = 24 * time.Hour
)

// Snapshot is what a forecast considers of one snapshot.
type Snapshot struct {
	Sequence int64
	Parent   int64 // the snapshot before it, when it was made; 0 if there was none
	Created  time.Time
	Bytes    int64 // plain bytes of its files
	Stored   int64 // the same as stored
	Added    int64 // plain bytes that were stored for it
}

// Growth is how an archive has grown.
type Growth struct {
	Snapshots int       `json:"snapshots"` // that the figures come from
	Since     time.Time `json:"since"`     // when the first of them was made
	Until     time.Time `json:"until"`     // when the last of them was made
	// MeasuredMS is the time between snapshots and their direct predecessors. It is less than from Since to Until if
	// snapshots between them were pruned: what was stored for those is not known any more.
	MeasuredMS int64 `json:"measured_ms"`
	// StoredPerDay is how many bytes are stored per day, before any prune; Unbounded if that does not fit.
	StoredPerDay int64 `json:"stored_per_day"`
	// SizePerDay is by how many stored bytes per day one snapshot has become larger, or smaller if it is negative. It
	// is Unbounded, or as much less than 0, if that does not fit.
	SizePerDay int64 `json:"size_per_day"`
	// IsEnough means that the figures are enough for a forecast: three snapshots over 20 hours, an hour measured, and
	// bytes per day that fit.
	IsEnough bool `json:"enough"`
}

// GrowthOf returns the growth that snapshots show, which are in ascending order; nil if no snapshot has its direct
// predecessor among them, or if their times show nothing, such as after a change of the clock.
func GrowthOf(all []Snapshot) *Growth {
	if len(all) < 2 {
		return nil
	}
	last := &all[len(all)-1]
	from := last.Created.Add(-growthWindow)
	for len(all) > 2 && all[0].Created.Before(from) && !all[1].Created.After(from) {
		all = all[1:]
	}
	first := &all[0]
	g := &Growth{Snapshots: len(all), Since: first.Created, Until: last.Created}
	var stored big.Int
	var measured int64 // nanoseconds
	for i := 1; i < len(all); i++ {
		before, s := &all[i-1], &all[i]
		if took := s.Created.Sub(before.Created); s.Parent == before.Sequence && took > 0 {
			measured = Sum(measured, int64(took))
			stored.Add(&stored, s.addedStored())
		}
	}
	span := last.Created.Sub(first.Created)
	if measured <= 0 || span <= 0 {
		return nil
	}
	g.MeasuredMS = time.Duration(measured).Milliseconds()
	g.StoredPerDay = perDay(&stored, time.Duration(measured))
	g.SizePerDay = perDay(new(big.Int).Sub(big.NewInt(last.Stored), big.NewInt(first.Stored)), span)
	g.IsEnough = len(all) >= LeastSnapshots && span >= LeastSpan && time.Duration(measured) >= LeastMeasured &&
		g.StoredPerDay != Unbounded
	return g
}

// addedStored returns the bytes that were stored for a snapshot, as stored. The manifest has the plain ones: they are
// taken to compress as well as the whole snapshot does.
func (s *Snapshot) addedStored() *big.Int {
	if s.Bytes <= 0 {
		return big.NewInt(s.Added)
	}
	v := new(big.Int).Mul(big.NewInt(s.Added), big.NewInt(s.Stored))
	return v.Quo(v, big.NewInt(s.Bytes))
}

func perDay(bytes *big.Int, in time.Duration) int64 {
	v := new(big.Int).Mul(bytes, big.NewInt(int64(day)))
	return bounded(v.Quo(v, big.NewInt(int64(in))))
}

// bounded returns the number nearest to v that is at most Unbounded, in either direction.
func bounded(v *big.Int) int64 {
	most := big.NewInt(Unbounded)
	switch {
	case v.CmpAbs(most) < 0:
		return v.Int64()
	case v.Sign() < 0:
		return -Unbounded
	}
	return Unbounded
}

// After returns the bytes after a number of days, if nothing is pruned; Unbounded if they do not fit.
func (g *Growth) After(stored int64, days int64) int64 {
	v := new(big.Int).Mul(big.NewInt(g.StoredPerDay), big.NewInt(days))
	return bounded(v.Add(v, big.NewInt(stored)))
}

// mostAhead is how far ahead a forecast goes. It is more than the history of any archive.
const mostAhead = 100 * 365

// When returns the time at which an archive that has stored bytes now reaches a size, if nothing is pruned. It returns
// false if it does not grow, not within a hundred years, or if the size is Unbounded.
func (g *Growth) When(now time.Time, stored, size int64) (time.Time, bool) {
	missing := size - stored
	switch {
	case size == Unbounded || stored == Unbounded:
		return time.Time{}, false
	case missing <= 0:
		return now, true
	case g.StoredPerDay <= 0 || missing/g.StoredPerDay >= mostAhead:
		return time.Time{}, false
	}
	whole, rest := missing/g.StoredPerDay, missing%g.StoredPerDay
	part := new(big.Int).Mul(big.NewInt(rest), big.NewInt(int64(day)))
	part.Quo(part, big.NewInt(g.StoredPerDay))
	return now.AddDate(0, 0, int(whole)).Add(time.Duration(part.Int64())), true
}
