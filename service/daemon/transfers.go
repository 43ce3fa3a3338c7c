package daemon

import (
	"context"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive"
)

// transferPool limits the files that all archives of the service together read, send or fetch at once.
type transferPool struct {
	slots         atomic.Pointer[chan struct{}]
	used, waiting atomic.Int64 // of all shares
}

// load returns the size of the pool, the transfers in progress, and those that wait.
func (p *transferPool) load() (slots, used, waiting int64) {
	return int64(cap(*p.slots.Load())), p.used.Load(), p.waiting.Load()
}

// newTransferPool returns a pool of the given size.
func newTransferPool(size int) *transferPool {
	p := &transferPool{}
	p.resize(size)
	return p
}

// resize changes the number of slots. A slot acquired earlier is released to the old set of slots.
func (p *transferPool) resize(size int) {
	if now := p.slots.Load(); now == nil || cap(*now) != size {
		p.slots.Store(new(make(chan struct{}, size)))
	}
}

// transferShare is one archive's access to slots: one reserved slot, and the pool. So an archive whose destination
// hangs while it holds the whole pool cannot stop another archive.
type transferShare struct {
	own  chan struct{}
	pool *transferPool
}

var _ archive.Limiter = (*transferShare)(nil)

func (p *transferPool) share() *transferShare {
	return &transferShare{own: make(chan struct{}, 1), pool: p}
}

// Acquire implements archive.Limiter.
func (s *transferShare) Acquire(ctx context.Context) (release func(), err error) {
	slots := *s.pool.slots.Load()
	s.pool.waiting.Add(1)
	defer s.pool.waiting.Add(-1)
	select {
	case s.own <- struct{}{}:
		return s.pool.use(s.own), nil
	case slots <- struct{}{}: // in the order of the requests
		return s.pool.use(slots), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// use counts a transfer in progress until release is called.
func (p *transferPool) use(slots <-chan struct{}) (release func()) {
	p.used.Add(1)
	return func() {
		p.used.Add(-1)
		<-slots
	}
}
