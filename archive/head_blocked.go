package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// In a directory, something that is no object may lie where an archive needs one: no listing shows it, and no writer
// can win the key (store.BlockFinder). A backup passes over such a number, as over one that only its host has seen. A
// ledger has no gaps, so the next record waits until an operator has removed what is in its way.

// findBlock returns what keeps an object from being created under key; nil if nothing does.
func (a *Archive) findBlock(ctx context.Context, key string) (*store.Blocked, error) {
	finder, ok := a.store.(store.BlockFinder)
	if !ok {
		return nil, nil
	}
	return finder.FindBlock(ctx, key)
}

// passBlocked passes over the numbers whose manifests something blocks. The next snapshot then references nothing of
// the base: another writer may have made a snapshot in between, before the thing came or after it was removed.
func (a *Archive) passBlocked(ctx context.Context, h *head) error {
	for first := h.nextSequence(); ; {
		n := h.nextSequence()
		blocked, err := a.findBlock(ctx, manifest.ManifestKey(n))
		switch {
		case err != nil:
			return err
		case blocked == nil:
			return nil
		case !blocked.AtKey || n == manifest.MaxCounted:
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
		if n < first+mostShown {
			h.warn("%v; no snapshot gets the number %d, and the next one stores everything once more", blocked, n)
		}
		h.passed = n
	}
}

// checkBlocked passes over blocked numbers, and returns the error of a backup that something blocks. What keeps only
// the ledger from being written is a warning.
func (a *Archive) checkBlocked(ctx context.Context, h *head) error {
	if err := a.passBlocked(ctx, h); err != nil {
		return err
	}
	for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix} {
		if blocked, err := a.findBlock(ctx, prefix+firstBelow); err != nil {
			return err
		} else if blocked != nil && !blocked.AtKey {
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
	}
	blocked, err := a.findBlock(ctx, manifest.LedgerKey(h.ledger.Number+1))
	if err == nil && blocked != nil {
		h.warn("%v; until then nothing is pruned or held", blocked)
	}
	return err
}

// block is something in the way of an archive's next objects.
type block struct {
	*store.Blocked
	stops bool // no backup is possible; one passes over a blocked number, and needs no record
}

// blocks returns what is in the way of the archive's next objects, for a report.
func (a *Archive) blocks(ctx context.Context, h *head) (all []block, err error) {
	next := manifest.ManifestKey(h.nextSequence())
	keys := []string{next, manifest.LedgerKey(h.ledger.Number + 1)}
	if h.id == nil && !h.badID {
		keys = append(keys, manifest.ArchiveKey)
	}
	for _, prefix := range topLevel {
		keys = append(keys, prefix+firstBelow)
	}
	for _, key := range keys {
		blocked, err := a.findBlock(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case blocked == nil, blocked.AtKey && strings.HasSuffix(key, "/"+firstBelow): // it may be a log file's directory
		case slices.ContainsFunc(all, func(b block) bool { return b.Path == blocked.Path }):
		default:
			isSpare := key == next && blocked.AtKey || !isNeeded(key)
			all = append(all, block{blocked, !isSpare})
		}
	}
	return all, nil
}

// firstBelow is the last element of a key that shows whether objects can be created below a prefix.
const firstBelow = "0"

// isNeeded reports whether every backup needs the directory of a key.
func isNeeded(key string) bool {
	for _, prefix := range []string{manifest.LedgerPrefix, manifest.ProofsPrefix, store.ProbePrefix} {
		if strings.HasPrefix(key, prefix) {
			return false
		}
	}
	return true
}

// noteBlocks adds to the report what is in the way of the archive's next objects.
func (v *verifyRun) noteBlocks(ctx context.Context, h *head) error {
	all, err := v.blocks(ctx, h)
	for _, blocked := range all {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}

// noteBlockingFile adds an object of data/ to the report if it is in the place of a log file's directory.
func (v *verifyRun) noteBlockingFile(ctx context.Context, key string) error {
	if _, ok := v.store.(store.BlockFinder); !ok {
		return nil
	}
	name, isData := strings.CutPrefix(key, manifest.DataPrefix)
	_, isObject := manifest.ParseObjectKey(key)
	if !isData || isObject || len(homes(key)) > 0 || len(v.report.Blocked) >= maxFailures {
		return nil
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: v.head.layout()})
	if _, _, isLog := layout.Position(name); err == nil && layout.Name() != "files" && !isLog {
		return nil // the database makes no such file
	}
	blocked, err := v.findBlock(ctx, key+"/"+firstBelow)
	if blocked != nil {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}
