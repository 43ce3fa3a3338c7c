package daemon

import (
	"context"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive"
)

// transferPool is what all archives of the service have together: how many files are read, sent or
// fetched at once.
type transferPool struct{ slots atomic.Pointer[chan struct{}] }

// newTransferPool has room for as many as the largest that any archive may have for itself.
func newTransferPool(size int) *transferPool {
	p := &transferPool{}
	p.resize(size)
	return p
}

// resize has room for another number. What was taken before is given back to where it came
// from.
func (p *transferPool) resize(size int) {
	if now := p.slots.Load(); now == nil || cap(*now) != size {
		p.slots.Store(new(make(chan struct{}, size)))
	}
}

// transferShare is what one archive has: one slot of its own, and its part of the pool. So that
// an archive whose destination hangs, with all of the pool in its hands, never stops another.
type transferShare struct {
	own  chan struct{}
	pool *transferPool
}

var _ archive.Limiter = (*transferShare)(nil)

func (p *transferPool) share() *transferShare {
	return &transferShare{own: make(chan struct{}, 1), pool: p}
}

// Take implements archive.Slots.
func (s *transferShare) Acquire(ctx context.Context) (release func(), err error) {
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
