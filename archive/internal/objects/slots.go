package objects

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/strongroom-dev/strongroom/store"
)

// Slots are the transfers of one operation. Each file that is fetched has one. Those that no file waits for may fetch
// ranges of a large object. A nil *Slots has none to spare. The methods are safe for concurrent use.
type Slots struct {
	all       *semaphore.Weighted
	transfers int // how many there are in all
	ranges    RangeSizes
	mu        sync.Mutex
	buffers   [][]byte    // of ranges, unused
	unmade    int         // buffers that may still be made
	isWhole   atomic.Bool // no object is fetched in ranges
}

// RangeSizes are rangedFrom and rangeSize, or smaller sizes in tests.
type RangeSizes struct{ From, Each int64 }

// NewSlots returns the slots of an operation, all of them free.
func (a *Objects) NewSlots() *Slots {
	_, isFast := a.Store.(store.FullRate)
	s := &Slots{
		all: semaphore.NewWeighted(int64(a.Transfers)), transfers: a.Transfers, ranges: a.Ranges,
		unmade: min(a.Transfers, maxRanges),
	}
	s.isWhole.Store(a.Transfers == 1 || isFast)
	return s
}

// Acquire waits for the slot of a file. It returns an error if ctx ends before.
func (s *Slots) Acquire(ctx context.Context) error { return s.all.Acquire(ctx, 1) }

// Release returns the slot of a file.
func (s *Slots) Release() { s.all.Release(1) }

// take returns a buffer for a range, and nil if there is none.
func (s *Slots) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.buffers); n > 0 {
		b := s.buffers[n-1]
		s.buffers = s.buffers[:n-1]
		return b
	}
	if s.unmade == 0 {
		return nil
	}
	s.unmade--
	return make([]byte, s.ranges.Each)
}

// takeAll returns n buffers for a range, and nil if there are not as many.
func (s *Slots) takeAll(n int) [][]byte {
	var all [][]byte
	for range n {
		b := s.take()
		if b == nil {
			s.giveBack(all...)
			return nil
		}
		all = append(all, b)
	}
	return all
}

// giveBack returns buffers that take returned.
func (s *Slots) giveBack(all ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffers = append(s.buffers, all...)
}

// perRange returns how many buffers a range of an object of that many stored bytes has, so that maxRequests ranges are
// enough. It returns 0 if two such ranges would need more buffers than there are.
func (s *Slots) perRange(size int64) int {
	n := max(1, (size+maxRequests*s.ranges.Each-1)/(maxRequests*s.ranges.Each))
	if n > 1 && 2*n > int64(min(s.transfers, maxRanges)) {
		return 0
	}
	return int(n)
}

// stopRanges makes all later reads of the operation fetch objects as a whole: the service sends no ranges.
func (s *Slots) stopRanges(log *slog.Logger) {
	if s != nil && !s.isWhole.Swap(true) {
		log.Warn("large objects are fetched by one request each, which is slower; check the proxies on the way",
			"error", store.ErrNoRanges)
	}
}

// Requests returns how many requests an object of that many stored bytes needs at most.
func (s *Slots) Requests(size int64) int {
	if !s.splits(size) {
		return 1
	}
	each := int64(s.perRange(size)) * s.ranges.Each
	if each == 0 {
		each = aloneSize
	}
	return int((size + each - 1) / each)
}

// splits reports whether an object, or a part of one, with that many stored bytes is fetched in ranges.
func (s *Slots) splits(size int64) bool {
	return s != nil && !s.isWhole.Load() && size >= s.ranges.From
}
