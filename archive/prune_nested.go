package archive

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// nested are the archives within one that is pruned. Listings find them, each at any of its objects, and
// more than one listing may find the same.
type nested struct {
	roots   roots
	objects map[string]int64 // below each prefix, by the listing that showed most
}

// note remembers what a listing found.
func (n *nested) note(found []Nested) {
	for _, one := range found {
		n.roots.add(one.Prefix)
		n.objects[one.Prefix] = max(n.objects[one.Prefix], one.Objects)
	}
}

// list returns the outermost ones, by prefix.
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

// findNested finds archives where the listings of a prune do not come: beside its own directories, and
// around its own prefix. It deletes nothing there; but archives that lie one within the other are a danger
// that the operator has to end.
func (p *pruneRun) findNested(ctx context.Context) error {
	within, err := p.enclosing(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil: // the prune deletes nothing there
		p.log.Warn("whether this archive lies within another one could not be checked", "error", err)
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

// isOwn returns the objects of a batch that no nested archive can have. One may have been begun since the
// survey, and the listing may have passed its archive.json before that was created. But an archive creates
// nothing before its archive.json, so the store is asked now, after the objects were listed.
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
	for root, n := range left { // no listing may show what proves it
		p.nested.note([]Nested{{root, n}})
	}
	return batch, nil
}
