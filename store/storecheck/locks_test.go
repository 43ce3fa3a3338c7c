package storecheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// locking is a store that locks the objects of archives, or only reports so.
type locking struct {
	*storetest.InMemory
	onlyReports bool
}

func (l *locking) RenewLock() (time.Time, bool)                 { return time.Time{}, true }
func (l *locking) Locked(context.Context, string) (bool, error) { return true, nil }
func (l *locking) Lock(context.Context, string) error           { return nil }

func (l *locking) Delete(ctx context.Context, objects []store.Object) error {
	isLocked := func(o store.Object) bool { return strings.HasSuffix(o.Key, store.ProbeRetained) }
	if !l.onlyReports && slices.ContainsFunc(objects, isLocked) {
		rest := slices.DeleteFunc(slices.Clone(objects), isLocked)
		return errors.Join(l.InMemory.Delete(ctx, rest), fmt.Errorf("deleting: %w", store.ErrProtected))
	}
	return l.InMemory.Delete(ctx, objects)
}

// Who pays for locks relies on the check: it tries to delete a locked object, and reports a lock that does not hold.
func TestCheckTriesToDeleteALockedObject(t *testing.T) {
	t.Parallel()
	for onlyReports, want := range map[bool]Outcome{false: Good, true: Failed} {
		l := &locking{storetest.Memory(t), onlyReports}
		p := &probeRun{bucket: l, dir: store.ProbePrefix + "1/"}
		if f := p.locks(t.Context(), l); f.Result != want || !strings.Contains(f.Detail, p.dir+store.ProbeRetained) {
			t.Errorf("a lock that is only reported: %v; %+v", onlyReports, f)
		}
	}
}
