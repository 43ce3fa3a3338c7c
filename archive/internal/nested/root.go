package nested

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// hasArchive reports whether an archive begins at a prefix: it has an archive.json of strongroom, a manifest,
// or a ledger record.
func hasArchive(ctx context.Context, s store.Store, prefix string) (bool, error) {
	var denied error
	whole := func([]byte) error { return nil }
	b, err := (&objects.Objects{Store: s}).Get(ctx, prefix+manifest.ArchiveKey, manifest.SummaryBytes, whole)
	switch {
	case err == nil && manifest.IsArchive(b):
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		denied = err
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, objects.ErrTooLarge):
		return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
	}
	has, err := hasHistory(ctx, s, prefix)
	if err == nil && !has {
		err = denied
	}
	return has, err
}

// hasHistory reports whether a prefix has a manifest or a ledger record. It reads at most the first page of
// each of the two listings.
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
			if seen++; seen == objects.OnePage {
				break
			}
		}
	}
	return false, nil
}

// CheckNested returns ErrNested if one of the keys could belong to an archive that lies within this one. The
// prune of that archive would delete the object.
func CheckNested(ctx context.Context, a *objects.Objects, keys iter.Seq[string]) error {
	examples := map[string]string{} // a key for each home
	for key := range keys {
		for _, home := range Homes(key) {
			examples[home] = key
		}
	}
	found, err := FilterHomes(ctx, a, slices.Sorted(maps.Keys(examples)), hasArchive)
	if err != nil || len(found) == 0 {
		return err
	}
	home := found[0]
	return fmt.Errorf("%w: %s would be stored below the prefix %s of another archive, whose prune could delete it; "+
		"move that archive, or if no archive is there, delete %s",
		values.ErrNested, examples[home], home, home+manifest.ArchiveKey)
}

// FilterHomes returns the prefixes for which has returns true, in their order. It checks several at once,
// since a source may have many directories with the name of an archive's directory, such as one per tenant.
func FilterHomes(
	ctx context.Context, a *objects.Objects, prefixes []string, has func(context.Context, store.Store, string) (bool, error),
) (found []string, err error) {
	yes := make([]bool, len(prefixes))
	err = objects.EachIndex(ctx, a.Transfers, len(prefixes), func(ctx context.Context, i int) (err error) {
		yes[i], err = has(ctx, a.Store, prefixes[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, prefix := range prefixes {
		if yes[i] {
			found = append(found, prefix)
		}
	}
	return found, nil
}

// IsNested reports whether a prefix has an object that only archives have, even a damaged one.
func IsNested(ctx context.Context, s store.Store, prefix string) (bool, error) {
	_, err := s.Stat(ctx, prefix+manifest.ArchiveKey)
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
	}
	return hasHistory(ctx, s, prefix)
}

// FindNested returns the prefix of a nested archive that an object may belong to, or "" if there is none. An
// archive begins at the prefix, and the rest of the key has the form of an archive's key. For most keys it
// sends no request. Stores use it for keys that listings do not show.
func FindNested(ctx context.Context, s store.Store, key string) (prefix string, err error) {
	for _, home := range Homes(key) {
		is, err := IsNested(ctx, s, home)
		if err != nil {
			return "", err
		}
		if is {
			return home, nil
		}
	}
	return "", nil
}
