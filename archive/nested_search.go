package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// The bounds of a search for nested archives. Listings that an operation needs anyway do not count.
const (
	maxSearchedObjects = 100_000 // objects, in the order of their keys
	maxSearchedDirs    = 1000    // directories that searchDirs visits if there are more objects
	maxWaitingDirs     = 100_000 // directories that wait for their visit
	maxSearchedEntries = 10_000  // entries of one visited directory
)

// partlySearched is the warning of a search that reached a bound or a directory without read permission.
const partlySearched = "the search for other archives below the address was incomplete; make sure that there is none"

// apartError is the ErrNested of a new archive.
type apartError struct {
	error
	place string // of the other archive
}

// Unwrap returns the error without the place.
func (e *apartError) Unwrap() error { return e.error }

// nestedPlan returns the plan that confirms what checkApart found. It confirms no archive at another place.
func nestedPlan(err error) string {
	found, is := errors.AsType[*apartError](err)
	if !is {
		return "0"
	}
	return manifest.Sum([]byte(found.place)).String()[:16]
}

// checkApart returns ErrNested if a new archive would lie within another one or around one. A lack of read
// permission above the address is no error, since permissions often end at the prefix.
func (a *Archive) checkApart(ctx context.Context) (warning string, err error) {
	address, err := a.enclosing(ctx)
	if err != nil {
		return "", err
	}
	if address != "" {
		const how = "%w: there is an archive at %s, and the new one would lie below its prefix; choose an address apart from it"
		return "", &apartError{fmt.Errorf(how, ErrNested, address), address}
	}
	tops, err := a.topDirs(ctx, nil)
	if err != nil {
		return "", err
	}
	found, complete, err := a.searchNested(ctx, tops, true)
	switch {
	case err != nil:
		return "", err
	case len(found) > 0:
		const how = "%w: there is an archive below this address, at the prefix %s; choose an address apart from it"
		return "", &apartError{fmt.Errorf(how, ErrNested, found[0].Prefix), found[0].Prefix}
	case !complete:
		return partlySearched, nil
	}
	return "", nil
}

// enclosing returns the address of the nearest archive within which this one lies; empty if there is none, or
// none with read permission.
func (a *Archive) enclosing(ctx context.Context) (string, error) {
	s, ok := a.store.(store.SurroundingsLister)
	if !ok {
		return "", nil
	}
	for _, place := range s.Surroundings() {
		begins, err := hasArchive(ctx, place.Store, "")
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, fs.ErrPermission):
		case err != nil:
			return "", fmt.Errorf("checking for an archive around this one: %w", err)
		case begins:
			return place.Address, nil
		}
	}
	return "", nil
}

// nestedNear finds a nested archive. In the directories of this archive's own objects, it lists only the
// first ones.
func (a *Archive) nestedNear(ctx context.Context) ([]Nested, error) {
	dirs, err := a.topDirs(ctx, topLevel)
	if err != nil {
		return nil, err
	}
	found, _, err := a.searchNested(ctx, dirs, true)
	if err != nil || len(found) > 0 {
		return found, err
	}
	found, _, err = a.listNested(ctx, topLevel, true)
	return found, err
}

// topDirs lists the directories at the top level, without those in except.
func (a *Archive) topDirs(ctx context.Context, except []string) ([]string, error) {
	var dirs []string
	for o, err := range a.store.List(ctx, "", "/", "") {
		switch {
		case err != nil:
			return nil, fmt.Errorf("searching the archive: %w", err)
		case o.IsDir && !slices.Contains(except, o.Key):
			dirs = append(dirs, o.Key)
		}
		if len(dirs) == maxSearchedDirs {
			break
		}
	}
	return dirs, nil
}

// searchNested finds nested archives below some directories. Complete reports whether everything in them was
// listed. With first, it stops at the first archive.
func (a *Archive) searchNested(ctx context.Context, dirs []string, first bool) (found []Nested, complete bool, err error) {
	found, complete, err = a.listNested(ctx, dirs, first)
	if err == nil && !complete && len(found) == 0 {
		found, err = a.searchDirs(ctx, dirs)
	}
	return found, complete, err
}

// listNested is searchNested limited to the first maxSearchedObjects objects, in the order of the directories.
func (a *Archive) listNested(ctx context.Context, dirs []string, first bool) (found []Nested, complete bool, err error) {
	n := nesting{roots: roots{}}
	left, complete := maxSearchedObjects, len(dirs) < maxSearchedDirs
	for _, dir := range dirs {
		for o, err := range a.store.List(ctx, dir, "", "") {
			if errors.Is(err, fs.ErrPermission) && ctx.Err() == nil {
				complete = false // the search continues with the other directories
				break
			}
			if err != nil {
				return nil, false, fmt.Errorf("checking for archives below this one: %w", err)
			}
			if left--; left < 0 {
				break
			}
			n.see(o.Key, tally{objects: 1})
		}
		if left < 0 {
			complete = false
			break
		}
	}
	for _, one := range n.end() {
		is, err := hasArchive(ctx, a.store, one.Prefix)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, false, err
		}
		if is || err != nil { // otherwise it is another program's archive.json
			found = append(found, one)
		}
		if first && len(found) > 0 {
			break
		}
	}
	return found, complete, nil
}

// searchDirs finds one nested archive, directory by directory. It finds an archive near the top, or in a
// directory with few siblings, even if millions of objects precede it: it visits a few of thousands of
// sibling directories, then directories elsewhere, and the remaining siblings last.
func (a *Archive) searchDirs(ctx context.Context, dirs []string) ([]Nested, error) {
	// The cost of a directory is one for each level, and one for each preceding directory in its parent.
	var costs [maxSearchedDirs][]string
	waiting := 0
	add := func(dir string, cost int) {
		if cost < maxSearchedDirs && waiting < maxWaitingDirs {
			costs[cost], waiting = append(costs[cost], dir), waiting+1
		}
	}
	for i, dir := range dirs {
		add(dir, i)
	}
	visits := 0
	for cost := 0; cost < len(costs) && visits < maxSearchedDirs; cost++ {
		for i := 0; i < len(costs[cost]) && visits < maxSearchedDirs; i++ {
			visits++
			waiting--
			found, inner, err := a.searchDir(ctx, costs[cost][i])
			if err != nil || found != nil {
				return found, err
			}
			for k, dir := range inner {
				add(dir, cost+1+k)
			}
		}
		costs[cost] = nil
	}
	return nil, nil
}

// searchDir finds a nested archive among the objects of a directory, and returns the directories in it.
func (a *Archive) searchDir(ctx context.Context, dir string) (found []Nested, inner []string, err error) {
	left := maxSearchedEntries
	for o, err := range a.store.List(ctx, dir, "/", "") {
		if errors.Is(err, fs.ErrPermission) && ctx.Err() == nil {
			break // the search continues with the other directories
		}
		if err != nil {
			return nil, nil, fmt.Errorf("checking for archives below this one: %w", err)
		}
		if left--; left == 0 {
			break
		}
		if o.IsDir && len(inner) < maxSearchedDirs {
			inner = append(inner, o.Key)
		}
		root, proves := manifest.NestedRoot(o.Key)
		if o.IsDir || !proves {
			continue
		}
		is, err := hasArchive(ctx, a.store, root)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, nil, err
		}
		if is || err != nil { // otherwise it is another program's archive.json
			return []Nested{{Prefix: root}}, nil, nil
		}
	}
	return nil, inner, nil
}
