package daemon

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive"
)

// pool is what all archives of the service have together: how many files are read, sent or
// fetched at once.
type pool chan struct{}

// newPool has room for as many as the largest that any archive may have for itself.
func newPool(size int) pool { return make(pool, size) }

// share is what one archive has: one slot of its own, and its part of the pool. So that
// an archive whose destination hangs, with all of the pool in its hands, never stops another.
type share struct {
	own  chan struct{}
	pool pool
}

var _ archive.Slots = (*share)(nil)

func (p pool) share() *share { return &share{own: make(chan struct{}, 1), pool: p} }

// Take implements archive.Slots.
func (s *share) Take(ctx context.Context) (giveBack func(), err error) {
	select {
	case s.own <- struct{}{}:
		return func() { <-s.own }, nil
	case s.pool <- struct{}{}: // in the order in which they came
		return func() { <-s.pool }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
