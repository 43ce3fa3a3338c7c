package archive

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

// latestAge is how far before the last object of an archive an interrupted repair may have created
// others that are not durable. A running system makes them so within a minute.
const latestAge = 24 * time.Hour

// latest are the objects of an archive that were created last, by the store's clock.
type latest struct {
	newest time.Time
	keys   map[string]time.Time
}

// noteCreated notes when an object was created, if a repair needs that.
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

// recent returns their keys.
func (l *latest) recent() []string {
	maps.DeleteFunc(l.keys, func(_ string, at time.Time) bool {
		return !at.IsZero() && at.Before(l.newest.Add(-latestAge))
	})
	return slices.Sorted(maps.Keys(l.keys))
}

// keepRepaired makes durable what was found right: an interrupted repair may have put it back. Where
// this one found nothing wrong, only what was created last can be that. Else all is made durable with
// one call, which waits for whatever was written to the file system.
func (v *verifyRun) keepRepaired(ctx context.Context) error {
	s, ok := v.store.(store.Syncer)
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
	if v.head.id != nil {
		keys = append(keys, manifest.ArchiveKey)
	}
	if n := v.head.ledger.Number; n > 0 {
		keys = append(keys, manifest.LedgerKey(n))
	}
	for _, key := range keys {
		if err := v.sync(ctx, key); err != nil && !errors.Is(err, fs.ErrNotExist) { // a prune may have removed it
			return fmt.Errorf("making what was found right durable: %w", err)
		}
	}
	return nil
}
