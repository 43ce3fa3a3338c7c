package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// SyncThere makes an object durable that was just read. An operation syncs each object once: even if nothing has to be
// written, a sync may wait for the disk. Before the next operation, another process may have replaced the object, or
// another disk may be mounted.
func (a *Objects) SyncThere(ctx context.Context, key string) error {
	a.mu.Lock()
	done := a.durable[key]
	a.mu.Unlock()
	if done {
		return nil
	}
	err := a.Sync(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrGone, err)
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

// Begin keeps the store, if it can, at the place that its address names now. release also forgets which objects were
// made durable there.
func (a *Objects) Begin() (release func()) {
	leave := func() {}
	if h, ok := a.Store.(store.Holder); ok {
		leave = h.Hold()
	}
	return func() {
		leave()
		a.mu.Lock()
		defer a.mu.Unlock()
		clear(a.durable)
	}
}

// SyncPatience bounds how long a read waits for a sync that it can do without.
const SyncPatience = 10 * time.Second

// ErrGone means that an object was listed, and a concurrent prune deleted or dropped it before it was read.
var ErrGone = errors.New("it changed while it was read")
