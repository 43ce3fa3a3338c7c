package nested

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// The bounds of a search for nested archives. Listings that an operation needs anyway do not count.
const (
	MaxSearchedObjects = 100_000 // objects, in the order of their keys
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

// NestedPlan returns the plan that confirms what CheckApart found. It confirms no archive at another place.
func NestedPlan(err error) string {
	found, is := errors.AsType[*apartError](err)
	if !is {
		return "0"
	}
	return manifest.Sum([]byte(found.place)).String()[:16]
}

// CheckApart returns ErrNested if a new archive would lie within another one or around one. A lack of read
// permission above the address is no error, since permissions often end at the prefix.
func CheckApart(ctx context.Context, a *objects.Objects) (warning string, err error) {
	address, err := Enclosing(ctx, a)
	if err != nil {
		return "", err
	}
	if address != "" {
		const how = "%w: there is an archive at %s, and the new one would lie below its prefix; choose an address apart from it"
		return "", &apartError{fmt.Errorf(how, values.ErrNested, address), address}
	}
	tops, err := TopDirs(ctx, a, nil)
	if err != nil {
		return "", err
	}
	found, complete, err := SearchNested(ctx, a, tops, true)
	switch {
	case err != nil:
		return "", err
	case len(found) > 0:
		const how = "%w: there is an archive below this address, at the prefix %s; choose an address apart from it"
		return "", &apartError{fmt.Errorf(how, values.ErrNested, found[0].Prefix), found[0].Prefix}
	case !complete:
		return partlySearched, nil
	}
	return "", nil
}

// Enclosing returns the address of the nearest archive within which this one lies; empty if there is none, or
// none with read permission.
func Enclosing(ctx context.Context, a *objects.Objects) (string, error) {
	s, ok := a.Store.(store.SurroundingsLister)
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

// NestedNear finds a nested archive. In the directories of this archive's own objects, it lists only the
// first ones.
func NestedNear(ctx context.Context, a *objects.Objects) ([]values.Nested, error) {
	dirs, err := TopDirs(ctx, a, TopLevel)
	if err != nil {
		return nil, err
	}
	found, _, err := SearchNested(ctx, a, dirs, true)
	if err != nil || len(found) > 0 {
		return found, err
	}
	found, _, err = listNested(ctx, a, TopLevel, true)
	return found, err
}

// TopDirs lists the directories at the top level, without those in except.
func TopDirs(ctx context.Context, a *objects.Objects, except []string) ([]string, error) {
	var dirs []string
	for o, err := range a.Store.List(ctx, "", "/", "") {
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

// SearchNested finds nested archives below some directories. Complete reports whether everything in them was
// listed. With first, it stops at the first archive.
func SearchNested(ctx context.Context, a *objects.Objects, dirs []string, first bool) (found []values.Nested, complete bool, err error) {
	found, complete, err = listNested(ctx, a, dirs, first)
	if err == nil && !complete && len(found) == 0 {
		found, err = searchDirs(ctx, a, dirs)
	}
	return found, complete, err
}

// listNested is SearchNested limited to the first MaxSearchedObjects objects, in the order of the directories.
func listNested(ctx context.Context, a *objects.Objects, dirs []string, first bool) (found []values.Nested, complete bool, err error) {
	n := Nesting{Roots: Roots{}}
	left, complete := MaxSearchedObjects, len(dirs) < maxSearchedDirs
	for _, dir := range dirs {
		for o, err := range a.Store.List(ctx, dir, "", "") {
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
			n.See(o.Key, Tally{Objects: 1})
		}
		if left < 0 {
			complete = false
			break
		}
	}
	for _, one := range n.End() {
		is, err := hasArchive(ctx, a.Store, one.Prefix)
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
func searchDirs(ctx context.Context, a *objects.Objects, dirs []string) ([]values.Nested, error) {
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
			found, inner, err := searchDir(ctx, a, costs[cost][i])
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
func searchDir(ctx context.Context, a *objects.Objects, dir string) (found []values.Nested, inner []string, err error) {
	left := maxSearchedEntries
	for o, err := range a.Store.List(ctx, dir, "/", "") {
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
		is, err := hasArchive(ctx, a.Store, root)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, nil, err
		}
		if is || err != nil { // otherwise it is another program's archive.json
			return []values.Nested{{Prefix: root}}, nil, nil
		}
	}
	return nil, inner, nil
}
