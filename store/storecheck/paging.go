package storecheck

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/store"
)

const (
	probeMany = 1050 // objects, more than any provider returns in one page
	onePage   = 1000 // the most that any provider returns
)

// branches are names that services put into another order than that of their bytes: some compare them by directories, so
// that "a/" precedes "a-b/" and "a.d". They come after all numbers.
var branches = []string{"many/a-b/0", "many/a.d", "many/a/0"}

// manyNames returns the names of paging's objects in order.
func manyNames() []string {
	names := make([]string, 0, probeMany)
	for i := range probeMany - len(branches) {
		names = append(names, fmt.Sprintf("many/%04d", i))
	}
	return append(names, branches...)
}

// paging creates more objects than fit in a page of a listing, and lists them.
func (p *probeRun) paging(ctx context.Context) Finding {
	const advice = "snapshots would be missed; do not use this service"
	names := manyNames()
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(probeRacers)
	for _, name := range names {
		g.Go(func() error {
			_, err := p.put(running, name, nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return WentWrong(err)
	}
	p.many = true
	for _, from := range []int{0, 7, probeMany - 3} {
		if f, ok := p.listMany(ctx, names, from, advice); !ok {
			return f
		}
	}
	rolled, err := p.listDirs(ctx, "")
	if err != nil {
		return WentWrong(err)
	}
	if !slices.Equal(rolled, []string{"many/"}) {
		return Fail(advice, "the listing by directory shows %q", rolled)
	}
	return Pass("%d objects are listed completely", probeMany)
}

// listMany compares a listing of names from one of them on. It returns false with a finding that failed.
func (p *probeRun) listMany(ctx context.Context, names []string, from int, advice string) (Finding, bool) {
	next, after := from, ""
	if from > 0 {
		after = p.dir + names[from-1]
	}
	for o, err := range p.bucket.List(ctx, p.dir+"many/", "", after) {
		if errors.Is(err, store.ErrUnordered) {
			return Fail(advice, "%v", err), false
		}
		if err != nil {
			return WentWrong(err), false
		}
		if next >= len(names) || o.Key != p.dir+names[next] {
			return Fail(advice, "the listing has %s instead of object %d of %d", o.Key, next, len(names)), false
		}
		next++
	}
	if next != len(names) {
		return Fail(advice, "the listing ends after %d of %d objects", next, len(names)), false
	}
	return Finding{}, true
}

// listDirs lists the directories in a directory of the probe.
func (p *probeRun) listDirs(ctx context.Context, dir string) (found []string, _ error) {
	for o, err := range p.bucket.List(ctx, p.dir+dir, "/", "") {
		if err != nil {
			return nil, err
		}
		if o.IsDir {
			found = append(found, o.Key[len(p.dir):])
		}
	}
	return found, nil
}

// order lists the objects of paging as an operation that writes does. One of the listings has a page that ends between
// the branches. The store reports what its service does, and would sort these listings for reading.
func (p *probeRun) order(ctx context.Context) Finding {
	const advice = "backup, copy, hold and prune refuse this store, and reading is slow; use another service"
	if !p.many {
		return Finding{Result: Failed, Detail: "not tested: the objects to list could not all be created", Transient: true}
	}
	ctx = store.InOrder(ctx)
	names := manyNames()
	for _, from := range []int{0, len(names) - len(branches) + 1 - onePage} {
		f, ok := p.listMany(ctx, names, from, advice)
		if !ok {
			return f
		}
	}
	dirs, err := p.listDirs(ctx, "many/")
	switch {
	case errors.Is(err, store.ErrUnordered):
		return Fail(advice, "%v", err)
	case err != nil:
		return WentWrong(err)
	case !slices.Equal(dirs, []string{"many/a-b/", "many/a/"}):
		return Fail(advice, "the listing by directory shows %q", dirs)
	}
	return Pass("listings are in the order of the names")
}
