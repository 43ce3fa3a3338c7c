package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// makeDurable makes durable what an operation goes by: the newest manifest and the newest record of
// the ledger; zero: there is none. A run that was killed may have created them and not synced them.
// Without this a power loss could take away a snapshot that a backup reported as unchanged, or a
// record by which a prune has deleted objects. The objects that a manifest names, and the manifests
// before it, were durable before it was created. An object that has gone since is errGone. What only
// reads an archive does not call it: a disk may still be read when its fsync fails.
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

// syncThere makes an object durable that was just read. An operation does so once for each object:
// even where nothing is to be written, a sync may wait for the disk. Before the next operation the
// object may be another one: put back by another process, or on another disk.
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
	if len(a.durable) > 2 { // archive.json and the newest of each kind: no others are synced again
		clear(a.durable)
	}
	if a.durable == nil {
		a.durable = map[string]bool{}
	}
	a.durable[key] = true
	return nil
}

// hold keeps the store, where it can, at the place that its address names now. release also
// forgets what was made durable there.
func (a *Archive) hold() (release func()) {
	leave := func() {}
	if h, ok := a.store.(store.Holder); ok {
		leave = h.Hold()
	}
	return func() {
		leave()
		a.mu.Lock()
		defer a.mu.Unlock()
		clear(a.durable)
	}
}

// syncPatience bounds how long a read waits for a sync that it can do without.
const syncPatience = 10 * time.Second

// tryDurable is makeDurable where an operation goes on without it.
func (a *Archive) tryDurable(ctx context.Context, newest, record int64) error {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	return a.makeDurable(ctx, newest, record)
}
