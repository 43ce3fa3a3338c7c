package archive

import (
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// needsLostPage reports whether a page of the base is known to be missing or damaged.
func (r *backupRun) needsLostPage() bool {
	return r.knownBad.Any() && r.head.Base != nil && slices.ContainsFunc(r.head.Base.Pages, func(p manifest.Page) bool {
		return r.knownBad.HasPlace(p.Ref.Object, p.Ref.Object)
	})
}

// needsLostObject reports whether a part of a file is known to be missing or damaged.
func (r *backupRun) needsLostObject(f *manifest.File) bool {
	for i := range f.Parts {
		if r.knownBad.HasPart(&f.Parts[i]) {
			return true
		}
	}
	return false
}
