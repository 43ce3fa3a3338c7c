package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// The bounds of a search for nested archives, outside of what an operation lists anyway.
const (
	maxSearchedObjects = 100_000 // in the order of their keys
	maxSearchedDirs    = 1000    // if there are more objects: directories, by searchDirs
	maxWaitingDirs     = 100_000 // of those, how many are remembered to be searched
	maxSearchedEntries = 10_000  // of one of these directories
)

// partlySearched is the warning of a search that met a bound, or what it may not read.
const partlySearched = "not everything below the address could be searched for other archives; make sure that there is none"

// checkApart makes sure that a new archive would lie neither within another one nor around one: ErrNested.
// What may not be read above the address is no error, as permissions often end at the prefix.
func (a *Archive) checkApart(ctx context.Context) (warning string, err error) {
	address, err := a.enclosing(ctx)
	if err != nil {
		return "", err
	}
	if address != "" {
		return "", fmt.Errorf("%w: there is an archive at %s, and the new one would lie below its prefix; choose an address apart from it", ErrNested, address)
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
		return "", fmt.Errorf("%w: there is an archive below this address, at the prefix %s; choose an address apart from it", ErrNested, found[0].Prefix)
	case !complete:
		return partlySearched, nil
	}
	return "", nil
}

// enclosing returns the address of the nearest archive within which this one lies; empty if there is
// none, or none that may be read.
func (a *Archive) enclosing(ctx context.Context) (string, error) {
	s, ok := a.store.(Surrounded)
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
			return "", fmt.Errorf("looking for an archive around this one: %w", err)
		case begins:
			return place.Address, nil
		}
	}
	return "", nil
}

// nestedNear looks for a nested archive. Where this one has its own objects, only the first ones are listed.
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

// topDirs lists the directories at the top, except these.
func (a *Archive) topDirs(ctx context.Context, except []string) ([]string, error) {
	var dirs []string
	for o, err := range a.store.List(ctx, "", "/", "") {
		switch {
		case err != nil:
			return nil, fmt.Errorf("listing the archive: %w", err)
		case o.IsDir && !slices.Contains(except, o.Key):
			dirs = append(dirs, o.Key)
		}
		if len(dirs) == maxSearchedDirs {
			break
		}
	}
	return dirs, nil
}

// searchNested looks for nested archives below some directories. Complete reports whether all of them
// was listed. With first, one is enough.
func (a *Archive) searchNested(ctx context.Context, dirs []string, first bool) (found []Nested, complete bool, err error) {
	found, complete, err = a.listNested(ctx, dirs, first)
	if err == nil && !complete && len(found) == 0 {
		found, err = a.searchDirs(ctx, dirs)
	}
	return found, complete, err
}

// listNested is searchNested among the first objects, in the order of the directories.
func (a *Archive) listNested(ctx context.Context, dirs []string, first bool) (found []Nested, complete bool, err error) {
	n := nesting{roots: roots{}}
	left, complete := maxSearchedObjects, len(dirs) < maxSearchedDirs
	for _, dir := range dirs {
		for o, err := range a.store.List(ctx, dir, "", "") {
			if errors.Is(err, fs.ErrPermission) && ctx.Err() == nil {
				complete = false // and what can be read of the others is searched
				break
			}
			if err != nil {
				return nil, false, fmt.Errorf("looking for archives below this one: %w", err)
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
		if is || err != nil { // else it is another program's archive.json
			found = append(found, one)
		}
		if first && len(found) > 0 {
			break
		}
	}
	return found, complete, nil
}

// searchDirs looks for one nested archive directory by directory. One that lies near the top, or beside few
// others, is found although there are millions of objects before it: of thousands of directories side by side,
// the search goes into a few, and elsewhere, before it goes into the rest.
func (a *Archive) searchDirs(ctx context.Context, dirs []string) ([]Nested, error) {
	// The cost of a directory is one for each level, and for each directory that comes before it there.
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

// searchDir looks for a nested archive among the objects of a directory, and returns the directories in it.
func (a *Archive) searchDir(ctx context.Context, dir string) (found []Nested, inner []string, err error) {
	left := maxSearchedEntries
	for o, err := range a.store.List(ctx, dir, "/", "") {
		if errors.Is(err, fs.ErrPermission) && ctx.Err() == nil {
			break // what can be read of the others is searched
		}
		if err != nil {
			return nil, nil, fmt.Errorf("looking for archives below this one: %w", err)
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
		if is || err != nil { // else it is another program's archive.json
			return []Nested{{Prefix: root}}, nil, nil
		}
	}
	return nil, inner, nil
}

// hasArchive reports whether an archive begins at a prefix: there is an archive.json of strongroom, a
// manifest, or a record of a ledger.
func hasArchive(ctx context.Context, s Store, prefix string) (bool, error) {
	var denied error
	b, err := (&Archive{store: s}).get(ctx, prefix+manifest.ArchiveKey, manifest.SummaryBytes, func([]byte) error { return nil })
	switch {
	case err == nil && manifest.IsArchive(b):
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		denied = err
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTooLarge):
		return false, fmt.Errorf("looking for an archive at %q: %w", prefix, err)
	}
	has, err := hasHistory(ctx, s, prefix)
	if err == nil && !has {
		err = denied
	}
	return has, err
}

// hasHistory reports whether there is a manifest or a record of a ledger below a prefix, among the first
// objects where these lie.
func hasHistory(ctx context.Context, s Store, prefix string) (bool, error) {
	for _, kind := range []string{manifest.ManifestsPrefix, manifest.LedgerPrefix} {
		seen := 0
		for o, err := range s.List(ctx, prefix+kind, "", "") {
			if err != nil {
				return false, fmt.Errorf("looking for an archive at %q: %w", prefix, err)
			}
			key := strings.TrimPrefix(o.Key, prefix)
			_, isManifest := manifest.ParseManifestKey(key)
			_, isRecord := manifest.ParseLedgerKey(key)
			if isManifest || isRecord {
				return true, nil
			}
			if seen++; seen == onePage {
				break
			}
		}
	}
	return false, nil
}

// checkNested refuses to store objects where they could be those of an archive that lies within this one:
// ErrNested. The prune of that archive would delete them.
func (a *Archive) checkNested(ctx context.Context, keys iter.Seq[string]) error {
	asked := map[string]bool{}
	for key := range keys {
		for _, home := range homes(key) {
			if asked[home] {
				continue
			}
			asked[home] = true
			is, err := isNested(ctx, a.store, home)
			switch {
			case err != nil:
				return err
			case is:
				return fmt.Errorf("%w: %s would be stored below the prefix %s of another archive, whose prune could delete it; move that archive", ErrNested, key, home)
			}
		}
	}
	return nil
}

// isNested reports whether there is anything at a prefix that only an archive has, also if it is damaged.
func isNested(ctx context.Context, s Store, prefix string) (bool, error) {
	_, err := s.Stat(ctx, prefix+manifest.ArchiveKey)
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("looking for an archive at %q: %w", prefix, err)
	}
	return hasHistory(ctx, s, prefix)
}

// FindNested returns the prefix of a nested archive that an object may belong to: below the prefix, the
// object's key is that of an archive's object, and an archive begins there. Empty: there is none. It sends
// no request for the keys of most objects. It is for stores, which see keys that no listing shows.
func FindNested(ctx context.Context, s Store, key string) (prefix string, err error) {
	for _, home := range homes(key) {
		is, err := isNested(ctx, s, home)
		if err != nil {
			return "", err
		}
		if is {
			return home, nil
		}
	}
	return "", nil
}
