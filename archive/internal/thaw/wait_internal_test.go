package thaw

import (
	"errors"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A round reads a part of the states. An object counts as overdue only if it is still frozen when it is read again.
func TestOverdueIsReadAgain(t *testing.T) {
	t.Parallel()
	s := storetest.Memory(t)
	s.Replace("data/a", []byte("x"))
	old := func(key string) *State {
		o := store.Object{Key: key, Frozen: "GLACIER", Thawing: true}
		return &State{object: o, requested: time.Now().Add(-time.Hour)}
	}
	run := &thawRun{objects: objects.New(s, objects.Options{}), most: time.Minute, pending: []*State{old("data/a"), old("data/gone")}}
	if err := run.checkOverdue(t.Context(), time.Now()); err != nil || len(run.pending) > 0 {
		t.Errorf("%v, %d pending", err, len(run.pending))
	}
	if errors.Is(run.checkOverdue(t.Context(), time.Now()), store.ErrFrozen) {
		t.Error("nothing is pending, and something is overdue")
	}
}
