package s3

import (
	"context"
	"slices"

	"github.com/strongroom-dev/strongroom/store"
)

// confirm checks after a successful Put that the version that it made is the oldest one. A service does not
// refuse a Put if a delete marker hides the existing object. Then an older version is the object, and confirm
// compares it with sums. This takes one request more.
func (s *adapter) confirm(ctx context.Context, key string, made *string, sums store.Sums) (store.PutResult, error) {
	versioned, err := s.versioned(ctx)
	if err != nil || !versioned {
		return store.PutResult{}, err
	}
	full := *s.key(key)
	p, err := s.listVersions(ctx, full, "", versionMarker{}, 2)
	if err != nil {
		return store.PutResult{}, err
	}
	n := 0
	for _, v := range slices.Concat(p.versions, p.markers) {
		if v.key == full {
			n++
		}
	}
	if n == 1 && (!p.more || p.last > full) {
		return store.PutResult{}, nil
	}
	s.oldest.forget(full)
	if id, err := s.lookUp(ctx, full, ""); err == nil && made != nil && id == *made {
		return store.PutResult{}, nil
	}
	return s.compareExisting(ctx, key, sums)
}
