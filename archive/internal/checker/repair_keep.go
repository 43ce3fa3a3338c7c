package checker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// latestAge is the greatest age, relative to the archive's newest object, of objects that an interrupted repair
// may have left not durable. A running system makes objects durable within a minute.
const latestAge = 24 * time.Hour

// latest are the newest objects of an archive, by the store's clock.
type latest struct {
	newest time.Time
	keys   map[string]time.Time
}

// noteCreated records when an object was created, if Verify repairs.
func (v *verifyRun) noteCreated(o *store.Object) {
	l := &v.latest
	if v.o.Repair == nil || o.Modified.Before(l.newest.Add(-latestAge)) && !o.Modified.IsZero() {
		return
	}
	if l.keys == nil {
		l.keys = map[string]time.Time{}
	}
	l.keys[o.Key] = o.Modified
	if o.Modified.After(l.newest) {
		l.newest = o.Modified
	}
}

// recent returns the keys of the objects that are at most latestAge older than the newest.
func (l *latest) recent() []string {
	maps.DeleteFunc(l.keys, func(_ string, at time.Time) bool {
		return !at.IsZero() && at.Before(l.newest.Add(-latestAge))
	})
	return slices.Sorted(maps.Keys(l.keys))
}

// keepRepaired makes correct objects durable, since an interrupted repair may have restored them. If this
// repair found no problem, only the newest objects can be such ones. Otherwise it makes all objects durable
// with one call, which waits for everything written to the file system.
func (v *verifyRun) keepRepaired(ctx context.Context) error {
	s, ok := v.repo.Store.(store.Syncer)
	if !ok {
		return nil
	}
	if len(v.repaired) > 0 || len(v.report.Problems) > 0 {
		if err := s.SyncAll(ctx); err != nil {
			return fmt.Errorf("making what was repaired durable: %w", err)
		}
		return nil
	}
	keys := v.latest.recent()
	if v.head.ID != nil {
		keys = append(keys, manifest.ArchiveKey)
	}
	if n := v.head.Ledger.Number; n > 0 {
		keys = append(keys, manifest.LedgerKey(n))
	}
	for _, key := range keys {
		if err := v.repo.Sync(ctx, key); err != nil && !errors.Is(err, fs.ErrNotExist) { // a prune may have removed it
			return fmt.Errorf("making what was found intact durable: %w", err)
		}
	}
	return nil
}
