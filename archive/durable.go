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

// makeDurable makes the objects durable that an operation relies on: the newest manifest and the newest ledger record.
// It takes their numbers, or zero if there is none. A killed run may have created them and not synced them. A power
// loss could then remove a snapshot that a backup reported as unchanged, or a record by which a prune has deleted
// objects. The objects that a manifest names, and earlier manifests, were durable before the manifest was created. The
// error is errGone if an object is gone by now. Operations that only read do not call it: a disk may still be readable
// when its fsync fails.
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

// syncThere makes an object durable that was just read. An operation syncs each object once: even if nothing has to be
// written, a sync may wait for the disk. Before the next operation, another process may have replaced the object, or
// another disk may be mounted.
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

// hold keeps the store, if it can, at the place that its address names now. release also forgets which objects were
// made durable there.
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

// tryDurable is makeDurable with a time limit, for operations that continue without it.
func (a *Archive) tryDurable(ctx context.Context, newest, record int64) error {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	return a.makeDurable(ctx, newest, record)
}
