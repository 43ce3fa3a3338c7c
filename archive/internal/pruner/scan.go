package pruner

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
)

// scan returns the prefixes with objects to delete, and counts the missing objects of kept snapshots. A bit
// may have flipped in an object's name in a manifest: then no manifest names that object, and the named one is
// missing. So the sweep keeps every object that could be meant by the name of a missing one.
func (p *pruneRun) scan(ctx context.Context) (withSome []string, err error) {
	p.protected, p.report.Foreign = nil, 0
	all := []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix}
	for _, prefix := range all {
		some, listing := false, nested.Nesting{Roots: p.nested.roots}
		for o, err := range p.repo.Store.List(ctx, prefix, "", "") {
			if err != nil {
				return nil, err
			}
			t := nested.Tally{Objects: 1}
			if _, ok := manifest.ParseObjectKey(o.Key); !ok {
				t.Other++
			}
			listing.See(o.Key, t)
			_, goes := p.objectGoes(o) // this also marks the object as seen
			some = some || goes && !p.nested.roots.Holds(o.Key)
		}
		p.nested.note(listing.End())
		p.report.Foreign += int(listing.Rest.Other)
		if some {
			withSome = append(withSome, prefix)
		}
	}
	if p.report.Missing = p.marks.countMissing(); p.report.Missing == 0 || len(withSome) == 0 {
		return withSome, nil
	}
	return withSome, p.protectLookalikes(ctx)
}

// protectLookalikes reads the manifests again for the full names of the missing objects.
func (p *pruneRun) protectLookalikes(ctx context.Context) error {
	seen := p.marks
	p.marks = newMarkSet()
	p.marks.seed, p.marks.each = seen.seed, func(key string) {
		if k, ok := manifest.ParseObjectKey(key); ok && !seen.keys[seen.hash(key)] {
			p.protected[bitFlipGroup(&k)] = true
		}
	}
	p.protected = map[string]bool{}
	err := p.blocked(ctx, p.readNames(ctx, p.record.Kept))
	p.marks = seen
	return err
}

// bitFlipGroup returns the common part of all object names that a flipped bit could turn into one another. The
// decoder compares the rest of an object's key with the entry.
func bitFlipGroup(k *manifest.ObjectKey) string {
	if k.Prefix != manifest.DataPrefix {
		return k.Prefix
	}
	return k.Prefix + objects.FoldCase(k.Name) + "/" + k.Hash.String()
}
