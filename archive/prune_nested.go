package archive

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// nested are the archives within the archive that is pruned. Listings find them at any of their objects, and
// several listings may find the same archive.
type nested struct {
	roots   roots
	objects map[string]int64 // the number of objects below each prefix, from the listing with the most
}

// note adds the archives that a listing found.
func (n *nested) note(found []Nested) {
	for _, one := range found {
		n.roots.add(one.Prefix)
		n.objects[one.Prefix] = max(n.objects[one.Prefix], one.Objects)
	}
}

// list returns the outermost nested archives, by prefix.
func (n *nested) list() []Nested {
	all := []Nested{}
	for prefix, objects := range n.objects {
		all = append(all, Nested{prefix, objects})
	}
	slices.SortFunc(all, func(a, b Nested) int { return cmp.Compare(a.Prefix, b.Prefix) })
	last := ""
	return slices.DeleteFunc(all, func(one Nested) bool {
		if last != "" && strings.HasPrefix(one.Prefix, last) {
			return true
		}
		last = one.Prefix
		return false
	})
}

// listedAnyway are the directories that a prune lists in full.
var listedAnyway = []string{
	manifest.ManifestsPrefix, manifest.LedgerPrefix, manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix,
	manifest.ProofsPrefix,
}

// findNested finds archives outside of a prune's listings: in directories that are not the archive's own, and
// around its prefix. The prune deletes nothing there. But nested archives are a danger, so they are reported
// to the operator, who has to separate them.
func (p *pruneRun) findNested(ctx context.Context) error {
	within, err := p.enclosing(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil: // the prune deletes nothing there
		p.log.Warn("could not check whether this archive lies within another one", "error", err)
	}
	p.report.Within = within
	dirs, err := p.topDirs(ctx, listedAnyway)
	if err != nil {
		return err
	}
	found, _, err := p.searchNested(ctx, dirs, false)
	p.nested.note(found)
	return err
}

// isOwn returns the objects of a batch that cannot belong to a nested archive. A nested archive may have begun
// since the scan, and the listing may have passed its archive.json before that was created. But an archive's
// archive.json is its first object, so a check now, after the objects were listed, finds it.
func (p *pruneRun) isOwn(ctx context.Context, batch []deletion) ([]deletion, error) {
	possible := map[string]bool{}
	for i := range batch {
		for _, home := range homes(batch[i].Key) {
			if !p.nested.roots.has(home) {
				possible[home] = true
			}
		}
	}
	found, err := p.filterHomes(ctx, slices.Sorted(maps.Keys(possible)), isNested)
	if err != nil {
		return nil, err
	}
	for _, home := range found {
		p.nested.roots.add(home)
	}
	left := map[string]int64{}
	batch = slices.DeleteFunc(batch, func(o deletion) bool {
		root, nested := p.nested.roots.outermost(o.Key)
		if nested {
			left[root]++
		}
		return nested
	})
	for root, n := range left { // the object that proves it may be in no listing
		p.nested.note([]Nested{{root, n}})
	}
	return batch, nil
}
