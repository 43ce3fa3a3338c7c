package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
)

// makeDurable makes durable what an operation goes by: the newest manifest and the newest
// record of the ledger; zero: there is none. Who created it may have been killed before it was.
// Without this a power loss could take away a snapshot that a backup reported as unchanged, or a
// record by which a prune has deleted objects. The objects that a manifest names, and the
// manifests before it, were durable before it was created. An object that has gone since is errGone.
func (a *Archive) makeDurable(ctx context.Context, newest, record int64) error {
	if newest > 0 {
		if err := a.syncThere(ctx, manifest.ManifestKey(newest)); err != nil {
			return err
		}
	}
	if record > 0 {
		return a.syncThere(ctx, manifest.LedgerKey(record))
	}
	return nil
}

// syncThere makes an object durable that was just read. It does so once for each object:
// even where nothing is to be written, a sync may wait for the disk.
func (a *Archive) syncThere(ctx context.Context, key string) error {
	a.mu.Lock()
	done := a.durable[key]
	a.mu.Unlock()
	if done {
		return nil
	}
	err := a.sync(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.durable) > 1 { // only the newest of each kind are asked about again
		clear(a.durable)
	}
	if a.durable == nil {
		a.durable = map[string]bool{}
	}
	a.durable[key] = true
	return nil
}
