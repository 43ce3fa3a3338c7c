package daemon

import (
	"context"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive"
)

// pool is what all archives of the service have together: how many files are read, sent or
// fetched at once.
type pool struct{ slots atomic.Pointer[chan struct{}] }

// newPool has room for as many as the largest that any archive may have for itself.
func newPool(size int) *pool {
	p := &pool{}
	p.resize(size)
	return p
}

// resize has room for another number. What was taken before is given back to where it came
// from.
func (p *pool) resize(size int) {
	if now := p.slots.Load(); now == nil || cap(*now) != size {
		p.slots.Store(new(make(chan struct{}, size)))
	}
}

// share is what one archive has: one slot of its own, and its part of the pool. So that
// an archive whose destination hangs, with all of the pool in its hands, never stops another.
type share struct {
	own  chan struct{}
	pool *pool
}

var _ archive.Slots = (*share)(nil)

func (p *pool) share() *share { return &share{own: make(chan struct{}, 1), pool: p} }

// Take implements archive.Slots.
func (s *share) Take(ctx context.Context) (giveBack func(), err error) {
	slots := *s.pool.slots.Load()
	select {
	case s.own <- struct{}{}:
		return func() { <-s.own }, nil
	case slots <- struct{}{}: // in the order in which they came
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
