package pruner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// nestedFound are the archives within the archive that is pruned. Listings find them at any of their objects, and
// several listings may find the same archive.
type nestedFound struct {
	roots   nested.Roots
	objects map[string]int64 // the number of objects below each prefix, from the listing with the most
}

// note adds the archives that a listing found.
func (n *nestedFound) note(found []values.Nested) {
	for _, one := range found {
		n.roots.Add(one.Prefix)
		n.objects[one.Prefix] = max(n.objects[one.Prefix], one.Objects)
	}
}

// list returns the outermost nested archives, by prefix.
func (n *nestedFound) list() []values.Nested {
	all := []values.Nested{}
	for prefix, objects := range n.objects {
		all = append(all, values.Nested{Prefix: prefix, Objects: objects})
	}
	slices.SortFunc(all, func(a, b values.Nested) int { return cmp.Compare(a.Prefix, b.Prefix) })
	last := ""
	return slices.DeleteFunc(all, func(one values.Nested) bool {
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
	within, err := nested.Enclosing(ctx, p.repo.Objects)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil: // the prune deletes nothing there
		p.repo.Log.Warn("could not check whether this archive lies within another one", "error", err)
	}
	p.report.Within = within
	dirs, err := nested.TopDirs(ctx, p.repo.Objects, listedAnyway)
	if err != nil {
		return err
	}
	found, _, err := nested.SearchNested(ctx, p.repo.Objects, dirs, false)
	p.nested.note(found)
	return err
}

// isOwn returns the objects of a batch that cannot belong to a nested archive. A nested archive may have begun
// since the scan, and the listing may have passed its archive.json before that was created. But an archive's
// archive.json is its first object, so a check now, after the objects were listed, finds it.
func (p *pruneRun) isOwn(ctx context.Context, batch []deletion) ([]deletion, error) {
	possible := map[string]bool{}
	for i := range batch {
		for _, home := range nested.Homes(batch[i].Key) {
			if !p.nested.roots.Has(home) {
				possible[home] = true
			}
		}
	}
	found, err := nested.FilterHomes(ctx, p.repo.Objects, slices.Sorted(maps.Keys(possible)), nested.IsNested)
	if err != nil {
		return nil, err
	}
	for _, home := range found {
		p.nested.roots.Add(home)
	}
	left := map[string]int64{}
	batch = slices.DeleteFunc(batch, func(o deletion) bool {
		root, nested := p.nested.roots.Outermost(o.Key)
		if nested {
			left[root]++
		}
		return nested
	})
	for root, n := range left { // the object that proves it may be in no listing
		p.nested.note([]values.Nested{{Prefix: root, Objects: n}})
	}
	return batch, nil
}
