package checker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// chain checks the manifests from the newest down, and compares each with the hash in its child.
type chain struct {
	v    *verifyRun
	head *repo.Head
	seen *localstate.Pin // the local state's pin from before the manifests were listed
	// expected are the parents that the manifests above name, by number.
	expected map[int64]manifest.Ref
	child    map[int64]int64 // by number of the parent
	met      map[int64]bool
	torn     bool                 // a manifest above is unreadable or foreign, so the parent that it names is not known
	foreign  []foreignManifest    // manifests with another id than archive.json
	pages    map[string]knownPage // of the last snapshot with a bad page
}

// foreignManifest is a manifest of another archive.
type foreignManifest struct {
	n       int64
	archive string
}

// next checks the manifest with the next smaller number. With link, it compares the manifest with the
// expectations of those above.
func (c *chain) next(ctx context.Context, n int64, link bool) error {
	v := c.v
	if c.met == nil {
		c.expected, c.child, c.met = map[int64]manifest.Ref{}, map[int64]int64{}, map[int64]bool{}
	}
	c.met[n] = true
	v.report.Snapshots++
	key := manifest.ManifestKey(n)
	s, ref, err := c.read(ctx, n)
	if c.head.Parent == nil && ref.Sequence != 0 {
		c.head.Parent = &ref
	}
	var page *repo.BadObject
	switch {
	case err == nil:
	case errors.As(err, &page):
		if err := c.needReadable(ctx, n, page); err != nil {
			return err
		}
	case errors.Is(err, values.ErrDamaged) && ref.Sequence == 0:
		v.addProblem(values.Problem{Object: key, Kind: values.ProblemMissing, Detail: err.Error(), Snapshots: []int64{n}})
	case errors.Is(err, values.ErrDamaged):
		v.addProblem(values.Problem{Object: key, Kind: values.ProblemManifest, Detail: err.Error(), Snapshots: []int64{n}})
	default:
		return err
	}
	if want, ok := c.expected[n]; ok && link {
		if ref.Sequence != 0 && ref != want && !repo.Keeps(c.head.Record, ref) {
			v.addProblem(values.Problem{
				Object: key, Kind: values.ProblemChain, Snapshots: []int64{n},
				Detail: fmt.Sprintf("it hashes to %s, and manifest %d names it as %s",
					ref.SHA256, c.child[n], want.SHA256),
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
	if id := c.head.ArchiveID(); id != "" && s.Manifest.Archive != id {
		c.foreign, c.torn = append(c.foreign, foreignManifest{n, s.Manifest.Archive}), true
		return nil
	}
	if c.head.Base == nil {
		c.head.Base = s
	}
	if s.Manifest.Layout != c.head.Layout() {
		v.addProblem(values.Problem{
			Object: key, Kind: values.ProblemChain, Snapshots: []int64{n},
			Detail: fmt.Sprintf("its layout is %s, and the archive's is %s", s.Manifest.Layout, c.head.Layout()),
		})
	}
	v.repo.Remember(s) // the next one shares most of its pages
	v.need(s)
	if p := s.Manifest.Parent; p != nil {
		c.expected[p.Sequence], c.child[p.Sequence] = *p, n
		if known, ok := v.refs[p.Sequence]; !ok || !repo.Keeps(c.head.Record, known) {
			v.refs[p.Sequence] = *p
		}
	}
	return nil
}

// read reads a snapshot. If it has a page that was bad in the last one, it reads none of the other pages for nothing,
// and returns that page's error.
func (c *chain) read(ctx context.Context, n int64) (*repo.Snapshot, manifest.Ref, error) {
	if len(c.pages) > 0 {
		s, ref, err := c.v.repo.ReadSnapshotOf(ctx, n, c.head.Record, repo.NoPages)
		if err != nil {
			return nil, ref, err
		}
		for i := range s.Manifest.Pages {
			if k := c.pages[s.Manifest.Pages[i].Object]; k.bad != nil && k.page.Ref == s.Manifest.Pages[i] {
				return nil, ref, k.bad
			}
		}
		c.pages = nil // this one has none of the bad pages, so the older ones are read once again
	}
	return c.v.repo.ReadSnapshot(ctx, n, c.head.Record)
}

// knownPage is a page of a manifest, or why it cannot be read.
type knownPage struct {
	page manifest.Page
	bad  *repo.BadObject
}

// needReadable reports each page of a snapshot that cannot be read, and records what the entries of the others need:
// one bad page must not hide that their objects are bad too. first is the page that showed it.
func (c *chain) needReadable(ctx context.Context, n int64, first *repo.BadObject) error {
	v := c.v
	s, _, err := v.repo.ReadSnapshotOf(ctx, n, c.head.Record, repo.NoPages)
	if errors.Is(err, values.ErrDamaged) {
		v.addPageProblem(first, n)
		return nil
	}
	if err != nil {
		return err
	}
	m, here := *s.Manifest, map[string]knownPage{}
	var good []manifest.Page
	for i := range m.Pages {
		k, err := c.readPage(ctx, &m, i)
		if err != nil {
			return err
		}
		here[m.Pages[i].Object] = k
		if k.bad != nil {
			v.addPageProblem(k.bad, n)
			continue
		}
		good = append(good, k.page)
	}
	c.pages = here // the next snapshot shares most of them
	if len(good) == len(m.Pages) {
		v.addPageProblem(first, n) // it can be read now, but the snapshot was judged without it
	}
	m.Files = repo.JoinPages(good)
	if err := m.CheckSome(m.Files); err != nil {
		v.addProblem(values.Problem{Object: manifest.ManifestKey(n), Kind: values.ProblemManifest, Detail: err.Error(), Snapshots: []int64{n}})
		return nil
	}
	if id := c.head.ArchiveID(); id == "" || m.Archive == id {
		v.need(&repo.Snapshot{Ref: s.Ref, Manifest: &m, Pages: good})
	}
	return nil
}

// readPage reads one page, unless the snapshot before had the same.
func (c *chain) readPage(ctx context.Context, m *manifest.Manifest, i int) (knownPage, error) {
	if k, ok := c.pages[m.Pages[i].Object]; ok && k.page.Ref == m.Pages[i] {
		return k, nil
	}
	pages, err := c.v.repo.ReadPages(ctx, m, []int{i})
	k := knownPage{page: manifest.Page{Ref: m.Pages[i]}}
	switch {
	case errors.As(err, &k.bad):
	case err != nil:
		return knownPage{}, err
	default:
		k.page = pages[0]
	}
	return k, nil
}

// addPageProblem reports a page that a snapshot needs.
func (v *verifyRun) addPageProblem(page *repo.BadObject, n int64) {
	kind := values.ProblemContent
	if errors.Is(page.Err, fs.ErrNotExist) {
		kind = values.ProblemMissing
	}
	v.addProblem(values.Problem{Object: page.Key, Kind: kind, Detail: page.Err.Error(), Snapshots: []int64{n}})
}

// checkUnlinked reports a manifest that no child names as its parent, although all manifests above it that are
// not in the ledger exist and are readable. An outsider may have put it there.
func (c *chain) checkUnlinked(s *repo.Snapshot) {
	n := s.Ref.Sequence
	ledger := int64(0)
	if c.head.Record != nil {
		ledger = c.head.Record.Newest
	}
	if n <= ledger || *c.head.Parent == s.Ref || c.torn || s.Manifest.Archive != c.head.ArchiveID() {
		return
	}
	for p := range c.expected {
		if p > n {
			return // manifest p is missing, and may have been the child
		}
	}
	c.v.addProblem(values.Problem{
		Object: manifest.ManifestKey(n), Kind: values.ProblemChain, Snapshots: []int64{n},
		Detail: "no manifest above it names it as its parent; an outsider may have put it there, " +
			"or two backups may have missed one another",
	})
}

// checkForeign reports the manifests of another archive. If all manifests disagree with archive.json, it reports
// archive.json instead.
func (c *chain) checkForeign() {
	c.v.hasMixedIDs = len(c.foreign) > 0
	if c.head.Base == nil && len(c.foreign) > 0 {
		c.v.addProblem(values.Problem{
			Object: manifest.ArchiveKey, Kind: values.ProblemChain,
			Detail: fmt.Sprintf("it names archive %s, and no manifest does: manifest %d names %s; if the manifests "+
				"are right, delete it, and a repair writes it again from them",
				c.head.ID.ID, c.foreign[0].n, c.foreign[0].archive),
		})
		return
	}
	for _, f := range c.foreign {
		c.v.addProblem(values.Problem{
			Object: manifest.ManifestKey(f.n), Kind: values.ProblemChain, Snapshots: []int64{f.n},
			Detail: "it belongs to another archive, " + f.archive,
		})
	}
}

// end makes the checks that need the whole walk: for missing manifests, a missing archive.json, and differences
// from this host's local state.
func (c *chain) end(ctx context.Context) error {
	record := c.head.Record
	missing := map[int64]string{}
	for n := range c.expected {
		if !record.Lacks(n) {
			missing[n] = fmt.Sprintf("manifest %d names it as its parent", c.child[n])
		}
	}
	if record != nil {
		for _, k := range record.Kept {
			if !c.met[k.Sequence] {
				missing[k.Sequence] = fmt.Sprintf("record %d of the ledger keeps it", c.head.Ledger.Number)
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
		c.v.addProblem(values.Problem{Object: manifest.ManifestKey(n), Kind: values.ProblemMissing, Detail: who + ", and it is not in the store", Snapshots: []int64{n}})
	}
	if c.head.ID == nil {
		c.v.addProblem(values.Problem{
			Object: manifest.ArchiveKey, Kind: values.ProblemMissing,
			Detail: "it is missing, unreadable or another archive's; the manifests still contain the archive's id",
		})
	}
	s := c.seen
	if s == nil { // the archive's id may be known only now
		var err error
		if s, err = c.v.repo.LoadPin(c.head.ArchiveID()); err != nil {
			return err
		}
	}
	if s == nil {
		return nil
	}
	for _, p := range c.v.repo.Anomalies(c.head, s) {
		c.v.addProblem(p)
	}
	return nil
}

// created reports whether a manifest exists that the listing did not show. It and its child may have been
// created during the listing.
func (c *chain) created(ctx context.Context, n int64) (bool, error) {
	_, err := c.v.repo.Store.Stat(ctx, manifest.ManifestKey(n))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// each calls look for every object without a known problem, several at a time.
func (v *verifyRun) each(ctx context.Context, look func(context.Context, string, *need) error) error {
	keys := objects.SortedKeys(v.needs)
	return v.slots.EachIndex(ctx, len(keys), func(ctx context.Context, i int) error {
		key, n := keys[i], v.needs[keys[i]]
		v.mu.Lock()
		bad := n.bad
		v.mu.Unlock()
		if bad {
			return nil
		}
		release, err := v.repo.Acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		return look(ctx, key, n)
	})
}
