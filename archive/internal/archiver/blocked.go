package archiver

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
)

// passBlocked passes over the numbers whose manifests something blocks. The next snapshot then references nothing of
// the base: another writer may have made a snapshot in between, before the thing came or after it was removed.
func passBlocked(ctx context.Context, a *repo.Repo, h *repo.Head) error {
	for first := h.NextSequence(); ; {
		n := h.NextSequence()
		blocked, err := a.FindBlock(ctx, manifest.ManifestKey(n))
		switch {
		case err != nil:
			return err
		case blocked == nil:
			return nil
		case !blocked.AtKey || n == manifest.MaxCounted:
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
		if n < first+repo.MostShown {
			h.Warn("%v; no snapshot gets the number %d, and the next one stores everything once more", blocked, n)
		}
		h.Passed = n
	}
}

// checkBlocked passes over blocked numbers, and returns the error of a backup that something blocks. What keeps only
// the ledger from being written is a warning.
func checkBlocked(ctx context.Context, a *repo.Repo, h *repo.Head) error {
	if err := passBlocked(ctx, a, h); err != nil {
		return err
	}
	for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix} {
		if blocked, err := a.FindBlock(ctx, prefix+repo.FirstBelow); err != nil {
			return err
		} else if blocked != nil && !blocked.AtKey {
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
	}
	blocked, err := a.FindBlock(ctx, manifest.LedgerKey(h.Ledger.Number+1))
	if err == nil && blocked != nil {
		h.Warn("%v; until then nothing is pruned or held", blocked)
	}
	return err
}
