package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/manifest"
)

// scan looks below which prefixes there is something that goes, and whether all is there
// that the kept snapshots name. A flipped bit in a manifest may be in the name of an object:
// then that object is named by nobody, and what is named is not there. So whatever could be
// the right one of a name that is not there is spared.
func (p *pruneRun) scan(ctx context.Context) (withSome []string, err error) {
	p.protected, p.report.Foreign = nil, 0
	all := []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix}
	for _, prefix := range all {
		some, listing := false, nesting{roots: p.nested.roots}
		for o, err := range p.store.List(ctx, prefix, "", "") {
			if err != nil {
				return nil, err
			}
			t := tally{objects: 1}
			if _, ok := manifest.ParseObjectKey(o.Key); !ok {
				t.other++
			}
			listing.see(o.Key, t)
			_, goes := p.objectGoes(o) // which also notes that it was seen
			some = some || goes && !p.nested.roots.holds(o.Key)
		}
		p.nested.note(listing.end())
		p.report.Foreign += int(listing.rest.other)
		if some {
			withSome = append(withSome, prefix)
		}
	}
	if p.report.Missing = p.marks.isUnmarked(); p.report.Missing == 0 || len(withSome) == 0 {
		return withSome, nil
	}
	return withSome, p.protectLookalikes(ctx)
}

// protectLookalikes reads the manifests once more for the full names of what is not there.
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

// bitFlipGroup is what the names of objects have in common that could be taken for one another by a
// flipped bit: the decoder holds the rest of an object's key against the entry.
func bitFlipGroup(k *manifest.ObjectKey) string {
	if k.Prefix != manifest.DataPrefix {
		return k.Prefix
	}
	return k.Prefix + k.Name + "/" + k.Hash.String()
}
