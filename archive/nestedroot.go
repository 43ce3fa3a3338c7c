package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// hasArchive reports whether an archive begins at a prefix: there is an archive.json of strongroom, a
// manifest, or a record of a ledger.
func hasArchive(ctx context.Context, s Store, prefix string) (bool, error) {
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
func hasHistory(ctx context.Context, s Store, prefix string) (bool, error) {
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
				return fmt.Errorf("%w: %s would be stored below the prefix %s of another archive, "+
					"whose prune could delete it; move that archive", ErrNested, key, home)
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
		return false, fmt.Errorf("checking for an archive at %q: %w", prefix, err)
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
