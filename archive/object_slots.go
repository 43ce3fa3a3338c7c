package archive

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/strongroom-dev/strongroom/store"
)

// slots are the transfers of one operation. Each file that is fetched has one. Those that no file waits for may fetch
// ranges of a large object. A nil *slots has none to spare. The methods are safe for concurrent use.
type slots struct {
	all     *semaphore.Weighted
	ranges  rangeSizes
	mu      sync.Mutex
	buffers [][]byte    // of ranges, unused
	unmade  int         // buffers that may still be made
	isWhole atomic.Bool // no object is fetched in ranges
}

// rangeSizes are rangedFrom and rangeSize, or smaller sizes in tests.
type rangeSizes struct{ from, each int64 }

// newSlots returns the slots of an operation, all of them free.
func (a *Archive) newSlots() *slots {
	_, isFast := a.store.(store.FullRate)
	s := &slots{all: semaphore.NewWeighted(int64(a.transfers)), ranges: a.ranges, unmade: min(a.transfers, maxRanges)}
	s.isWhole.Store(a.transfers == 1 || isFast)
	return s
}

// acquire waits for the slot of a file. It returns an error if ctx ends before.
func (s *slots) acquire(ctx context.Context) error { return s.all.Acquire(ctx, 1) }

func (s *slots) release() { s.all.Release(1) }

// take returns a buffer for a range, and nil if there is none.
func (s *slots) take() []byte {
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
	return make([]byte, s.ranges.each)
}

// giveBack returns a buffer that take returned.
func (s *slots) giveBack(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffers = append(s.buffers, b)
}

// stopRanges makes all later reads of the operation fetch objects as a whole: the service sends no ranges.
func (s *slots) stopRanges(log *slog.Logger) {
	if s != nil && !s.isWhole.Swap(true) {
		log.Warn("large objects are fetched by one request each, which is slower; check the proxies on the way",
			"error", store.ErrNoRanges)
	}
}

// requests returns how many requests an object of that many stored bytes needs at most.
func (s *slots) requests(size int64) int {
	if !s.splits(size) {
		return 1
	}
	return int((size + s.ranges.each - 1) / s.ranges.each)
}

// splits reports whether an object, or a part of one, with that many stored bytes is fetched in ranges.
func (s *slots) splits(size int64) bool {
	return s != nil && !s.isWhole.Load() && size >= s.ranges.from
}
