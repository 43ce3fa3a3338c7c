package repo

import (
	"context"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// In a directory, something that is no object may lie where an archive needs one: no listing shows it, and no writer
// can win the key (store.BlockFinder). A backup passes over such a number, as over one that only its host has seen. A
// ledger has no gaps, so the next record waits until an operator has removed what is in its way.

// FindBlock returns what keeps an object from being created under key; nil if nothing does.
func (a *Repo) FindBlock(ctx context.Context, key string) (*store.Blocked, error) {
	finder, ok := a.Store.(store.BlockFinder)
	if !ok {
		return nil, nil
	}
	return finder.FindBlock(ctx, key)
}

// block is something in the way of an archive's next objects.
type block struct {
	*store.Blocked
	Stops bool // no backup is possible; one passes over a blocked number, and needs no record
}

// Blocks returns what is in the way of the archive's next objects, for a report.
func (a *Repo) Blocks(ctx context.Context, h *Head) (all []block, err error) {
	next := manifest.ManifestKey(h.NextSequence())
	keys := []string{next, manifest.LedgerKey(h.Ledger.Number + 1)}
	if h.ID == nil && !h.BadID {
		keys = append(keys, manifest.ArchiveKey)
	}
	for _, prefix := range nested.TopLevel {
		keys = append(keys, prefix+FirstBelow)
	}
	for _, key := range keys {
		blocked, err := a.FindBlock(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case blocked == nil, blocked.AtKey && strings.HasSuffix(key, "/"+FirstBelow): // it may be a log file's directory
		case slices.ContainsFunc(all, func(b block) bool { return b.Path == blocked.Path }):
		default:
			isSpare := key == next && blocked.AtKey || !isNeeded(key)
			all = append(all, block{blocked, !isSpare})
		}
	}
	return all, nil
}

// FirstBelow is the last element of a key that shows whether objects can be created below a prefix.
const FirstBelow = "0"

// isNeeded reports whether every backup needs the directory of a key.
func isNeeded(key string) bool {
	for _, prefix := range []string{manifest.LedgerPrefix, manifest.ProofsPrefix, store.ProbePrefix} {
		if strings.HasPrefix(key, prefix) {
			return false
		}
	}
	return true
}
