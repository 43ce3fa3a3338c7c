package archive

import (
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
)

// SetRangeSizes makes an archive fetch objects from a stored size on in ranges of a few bytes each, so that tests need
// no large objects.
func (a *Archive) SetRangeSizes(from, each int64) {
	a.repo.Ranges = objects.RangeSizes{From: from, Each: each}
}
