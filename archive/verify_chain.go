package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A chain walks the manifests from the newest down and holds each against what its
// child says of it.
type chain struct {
	v    *verifyRun
	head *head
	seen *pin // what the local witness had seen before the manifests were listed
	// expected is what manifests above said of their parents, by number.
	expected map[int64]manifest.Ref
	child    map[int64]int64
	met      map[int64]bool
	torn     bool        // one above cannot be read or is foreign: what it said of its parent is not known
	foreign  []*snapshot // whose id is not that of archive.json
}

// next looks at the manifest with the next smaller number. With link, it is held against
// the expectations of those above.
func (c *chain) next(ctx context.Context, n int64, link bool) error {
	v := c.v
	if c.met == nil {
		c.expected, c.child, c.met = map[int64]manifest.Ref{}, map[int64]int64{}, map[int64]bool{}
	}
	c.met[n] = true
	v.report.Snapshots++
	key := manifest.ManifestKey(n)
	s, ref, err := v.readSnapshot(ctx, n, c.head.record)
	if c.head.parent == nil && ref.Sequence != 0 {
		c.head.parent = &ref
	}
	var page *badObject
	switch {
	case err == nil:
	case errors.As(err, &page):
		what := "content"
		if errors.Is(err, fs.ErrNotExist) {
			what = "missing"
		}
		v.addProblem(Problem{Object: page.key, What: what, Detail: page.err.Error(), Snapshots: []int64{n}})
	case errors.Is(err, ErrDamaged) && ref.Sequence == 0:
		v.addProblem(Problem{Object: key, What: "missing", Detail: err.Error(), Snapshots: []int64{n}})
	case errors.Is(err, ErrDamaged):
		v.addProblem(Problem{Object: key, What: "manifest", Detail: err.Error(), Snapshots: []int64{n}})
	default:
		return err
	}
	if want, ok := c.expected[n]; ok && link {
		if ref.Sequence != 0 && ref != want && !keeps(c.head.record, ref) {
			v.addProblem(Problem{
				Object: key, What: "chain", Snapshots: []int64{n},
				Detail: fmt.Sprintf("it hashes to %s, and manifest %d knows it as %s", ref.SHA256, c.child[n], want.SHA256),
			})
		}
		delete(c.expected, n)
	} else if link && s != nil {
		c.checkUnlinked(s)
	}
	if s == nil {
		c.torn = true
		return nil
	}
	if id := c.head.archiveID(); id != "" && s.m.Archive != id {
		c.foreign, c.torn = append(c.foreign, s), true
		return nil
	}
	if c.head.base == nil {
		c.head.base = s
	}
	if s.m.Layout != c.head.layout() {
		v.addProblem(Problem{Object: key, What: "chain", Snapshots: []int64{n}, Detail: fmt.Sprintf("its layout is %s and the archive's is %s", s.m.Layout, c.head.layout())})
	}
	v.remember(s) // the next one shares most of its pages
	v.need(s)
	if p := s.m.Parent; p != nil {
		c.expected[p.Sequence], c.child[p.Sequence] = *p, n
		if known, ok := v.refs[p.Sequence]; !ok || !keeps(c.head.record, known) {
			v.refs[p.Sequence] = *p
		}
	}
	return nil
}

// checkUnlinked names a manifest that no child knows, although all those above it that the
// ledger does not vouch for are there and can be read: somebody has put it there.
func (c *chain) checkUnlinked(s *snapshot) {
	n := s.ref.Sequence
	ledger := int64(0)
	if c.head.record != nil {
		ledger = c.head.record.Newest
	}
	if n <= ledger || *c.head.parent == s.ref || c.torn || s.m.Archive != c.head.archiveID() {
		return
	}
	for p := range c.expected {
		if p > n {
			return // that one is missing, and may have been the child
		}
	}
	c.v.addProblem(Problem{
		Object: manifest.ManifestKey(n), What: "chain", Snapshots: []int64{n},
		Detail: "no manifest above it has it as its parent; it was put there from outside, or two archivers did not see one another",
	})
}

// checkForeign names the manifests of another archive; or archive.json, if it is the one
// that disagrees with all the others.
func (c *chain) checkForeign() {
	c.v.hasMixedIDs = len(c.foreign) > 0
	if c.head.base == nil && len(c.foreign) > 0 {
		c.v.addProblem(Problem{
			Object: manifest.ArchiveKey, What: "chain",
			Detail: fmt.Sprintf("it says archive %s, and no manifest does: %d says %s; if the manifests are right, delete it, and a repair writes it again by them", c.head.id.ID, c.foreign[0].ref.Sequence, c.foreign[0].m.Archive),
		})
		return
	}
	for _, s := range c.foreign {
		c.v.addProblem(Problem{Object: manifest.ManifestKey(s.ref.Sequence), What: "chain", Snapshots: []int64{s.ref.Sequence}, Detail: "it belongs to another archive, " + s.m.Archive})
	}
}

// end looks at what the whole walk left open: manifests that were not met, what this
// host has witnessed, and archive.json.
func (c *chain) end(ctx context.Context) error {
	record := c.head.record
	missing := map[int64]string{}
	for n := range c.expected {
		if !record.Lacks(n) {
			missing[n] = fmt.Sprintf("manifest %d names it as its parent", c.child[n])
		}
	}
	if record != nil {
		for _, k := range record.Kept {
			if !c.met[k.Sequence] {
				missing[k.Sequence] = fmt.Sprintf("record %d of the ledger keeps it", c.head.ledger.Number)
			}
		}
	}
	for n, who := range missing {
		switch there, err := c.created(ctx, n); {
		case err != nil:
			return err
		case there:
			continue
		}
		c.v.addProblem(Problem{Object: manifest.ManifestKey(n), What: "missing", Detail: who + ", and it is not in the store", Snapshots: []int64{n}})
	}
	if c.head.id == nil {
		c.v.addProblem(Problem{Object: manifest.ArchiveKey, What: "missing", Detail: "it is not in the store, cannot be read or is another archive's; the manifests still tell whose the archive is"})
	}
	s := c.seen
	if s == nil { // whose the archive is has only now become known
		s = c.v.loadPin(c.head.archiveID())
	}
	if s == nil {
		return nil
	}
	for _, p := range c.v.anomalies(c.head, s) {
		c.v.addProblem(p)
	}
	return nil
}

// created reports whether a manifest that the listing did not have is there: it may have been
// created, and its child too, while the listing was under way.
func (c *chain) created(ctx context.Context, n int64) (bool, error) {
	_, err := c.v.store.Stat(ctx, manifest.ManifestKey(n))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// each calls look for every object that no problem is known of, several at a time.
func (v *verifyRun) each(ctx context.Context, look func(context.Context, string, *need) error) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(v.transfers)
	for _, key := range slices.Sorted(maps.Keys(v.needs)) {
		n := v.needs[key]
		v.mu.Lock()
		bad := n.bad
		v.mu.Unlock()
		if bad {
			continue
		}
		if running.Err() != nil {
			break
		}
		g.Go(func() error {
			release, err := v.acquire(running)
			if err != nil {
				return err
			}
			defer release()
			return look(running, key, n)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // the loop may have been left early
}
