package archive_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// lockedStore is a directory in which a suspended process keeps the lock for deletes.
type lockedStore struct {
	store.Store
	waited *int
}

func (s lockedStore) Delete(_ context.Context, objects []store.Object) error {
	*s.waited++
	return fmt.Errorf("deleting %s: %w", objects[0].Key, store.ErrDeleting)
}

// A delete waits half a minute for the process that holds the lock. A prune of a million objects has a thousand batches
// and five kinds of object; it waits once, and reports every object as not deleted.
func TestPruneWaitsOnceForTheDeleteLock(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 5)
		for i := range 2500 { // of runs that were interrupted
			h.store.Replace(fmt.Sprintf("%s%s/%064x-000000001", manifest.DataPrefix, name(0), i+1), []byte("x"))
		}
		waited := 0
		r, err := archive.New(lockedStore{h.store, &waited}, archive.Options{}).
			Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
		if err != nil || waited != 1 {
			t.Fatalf("it waited %d times: %v", waited, err)
		}
		if r.Failed.Manifests != 4 || r.Failed.Objects < 2500 || r.Deleted != (archive.PruneCounts{}) ||
			len(r.Failures) != 1 || !strings.Contains(r.Failures[0], store.ErrDeleting.Error()) {
			t.Errorf("%+v", r)
		}
		if r := h.keepLast(1); r.Failed != (archive.PruneCounts{}) || r.Deleted.Objects < 2500 {
			t.Errorf("the next prune: %+v", r)
		}
		h.sound(5)
	})
}
