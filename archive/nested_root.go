package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// hasArchive reports whether an archive begins at a prefix: there is an archive.json of strongroom, a
// manifest, or a record of a ledger.
func hasArchive(ctx context.Context, s store.Store, prefix string) (bool, error) {
	var denied error
	whole := func([]byte) error { return nil }
	b, err := (&Archive{store: s}).get(ctx, prefix+manifest.ArchiveKey, manifest.SummaryBytes, whole)
	switch {
	case err == nil && manifest.IsArchive(b):
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		denied = err
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTooLarge):
		return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
	}
	has, err := hasHistory(ctx, s, prefix)
	if err == nil && !has {
		err = denied
	}
	return has, err
}

// hasHistory reports whether there is a manifest or a record of a ledger below a prefix, among the first
// objects where these lie.
func hasHistory(ctx context.Context, s store.Store, prefix string) (bool, error) {
	for _, kind := range []string{manifest.ManifestsPrefix, manifest.LedgerPrefix} {
		seen := 0
		for o, err := range s.List(ctx, prefix+kind, "", "") {
			if err != nil {
				return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
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
	examples := map[string]string{} // a key for each home
	for key := range keys {
		for _, home := range homes(key) {
			examples[home] = key
		}
	}
	found, err := a.filterHomes(ctx, slices.Sorted(maps.Keys(examples)), hasArchive)
	if err != nil || len(found) == 0 {
		return err
	}
	home := found[0]
	return fmt.Errorf("%w: %s would be stored below the prefix %s of another archive, whose prune could delete it; "+
		"move that archive, or if it is none, remove %s", ErrNested, examples[home], home, home+manifest.ArchiveKey)
}

// filterHomes returns the prefixes for which has reports true, in their order. It checks several
// at once: a source may have a directory of such a name for each of its tenants.
func (a *Archive) filterHomes(
	ctx context.Context, prefixes []string, has func(context.Context, store.Store, string) (bool, error),
) (found []string, err error) {
	yes := make([]bool, len(prefixes))
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for i, prefix := range prefixes {
		if running.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			yes[i], err = has(running, a.store, prefix)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // the loop may have been left early
		return nil, context.Cause(ctx)
	}
	for i, prefix := range prefixes {
		if yes[i] {
			found = append(found, prefix)
		}
	}
	return found, nil
}

// isNested reports whether there is anything at a prefix that only an archive has, also if it is damaged.
func isNested(ctx context.Context, s store.Store, prefix string) (bool, error) {
	_, err := s.Stat(ctx, prefix+manifest.ArchiveKey)
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
	}
	return hasHistory(ctx, s, prefix)
}

// FindNested returns the prefix of a nested archive that an object may belong to: below the prefix, the
// object's key is that of an archive's object, and an archive begins there. Empty: there is none. It sends
// no request for the keys of most objects. It is for stores, which see keys that no listing shows.
func FindNested(ctx context.Context, s store.Store, key string) (prefix string, err error) {
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
