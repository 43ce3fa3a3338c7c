package objects

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// One connection seldom fills the line: a service limits each, and a long way does. So a large object is fetched in
// ranges, by as many requests as are to spare. What reads it gets the bytes in their order, and hashes and writes them
// once. All ranges must be of one object. Stores replace none, and what another program has replaced does not have the
// hash of the whole.

const (
	// rangedFrom is the stored size from which an object is fetched in ranges.
	rangedFrom = 64 << 20
	// rangeSize is the bytes of a range. Each range that is fetched, or waits for those before it, is in memory.
	rangeSize = 4 << 20
	// maxRanges bounds the ranges in memory, however many transfers there are.
	maxRanges = 16
	// aloneSize is the bytes of one request while no transfer is to spare.
	aloneSize = 256 << 20
	// maxRequests is about how many requests fetch an object. Each costs, so the ranges of a larger one have several times
	// rangeSize. If fewer than two of them fit into the memory, requests of aloneSize follow one another.
	maxRequests = 10_000
)

// A rangedReader reads a range of an object by several requests at a time. It is not safe for concurrent use.
type rangedReader struct {
	ctx       context.Context
	cancel    context.CancelFunc
	a         *Objects
	slots     *Slots
	key       string
	perRange  int             // buffers of a range; 0: no ranges
	next, end int64           // where the next request begins, and where the range ends
	own       *ResumingReader // the request that Read itself reads; nil: none
	ahead     []*aheadRange   // what others fetch, in order; Read returns the first of them
	extra     atomic.Int64    // how many of them have a slot to spare
	isLent    atomic.Bool     // one of them has the slot of the file, which Read does not use
	running   sync.WaitGroup
	err       error // why reading failed
}

// An aheadRange is fetched while those before it are read.
type aheadRange struct {
	buffers [][]byte      // for the slots
	rest    [][]byte      // what Read has not returned yet
	err     error         // valid after done
	done    chan struct{} // closed when rest is complete, or err is set
}

// readStored returns a reader of a range of an object, whose close must be called.
func (a *Objects) readStored(ctx context.Context, s *Slots, key string, offset, length int64) interface {
	io.Reader
	Close()
} {
	if !s.splits(length) {
		return a.ReadRange(ctx, key, offset, length)
	}
	r := &rangedReader{a: a, slots: s, key: key, perRange: s.perRange(length), next: offset, end: offset + length}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

func (r *rangedReader) Read(b []byte) (int, error) {
	for r.err == nil && len(b) > 0 {
		n := 0
		switch {
		case r.own != nil:
			n = r.readOwn(b)
		case len(r.ahead) > 0:
			n = r.readAhead(b)
		case r.next == r.end:
			return 0, io.EOF
		default:
			r.begin()
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// begin requests the next bytes: in ranges if transfers are to spare, and otherwise more of them with one request.
func (r *rangedReader) begin() {
	if r.fetchAhead(); len(r.ahead) > 0 {
		return
	}
	n := min(aloneSize, r.end-r.next)
	r.own = r.a.ReadRange(r.ctx, r.key, r.next, n)
	r.next += n
}

func (r *rangedReader) readOwn(b []byte) int {
	n, err := r.own.Read(b)
	if err == io.EOF {
		r.own.Close()
		r.own = nil
	} else {
		r.err = err
	}
	return n
}

func (r *rangedReader) readAhead(b []byte) int {
	first := r.ahead[0]
	select {
	case <-first.done:
	case <-r.ctx.Done():
		r.err = context.Cause(r.ctx)
		return 0
	}
	if r.err = first.err; r.err != nil {
		return 0
	}
	n := copy(b, first.rest[0])
	if first.rest[0] = first.rest[0][n:]; len(first.rest[0]) == 0 {
		first.rest = first.rest[1:]
	}
	if len(first.rest) == 0 {
		r.ahead = r.ahead[1:]
		r.slots.giveBack(first.buffers...)
		r.fetchAhead()
	}
	return n
}

// fetchAhead requests ranges as long as there are transfers and buffers for them.
func (r *rangedReader) fetchAhead() {
	for r.next < r.end && r.perRange > 0 {
		buffers := r.slots.takeAll(r.perRange)
		if buffers == nil {
			return
		}
		release := r.slot()
		if release == nil {
			r.slots.giveBack(buffers...)
			return
		}
		next := &aheadRange{buffers: buffers, done: make(chan struct{})}
		n := int64(0)
		for _, b := range buffers {
			if m := min(int64(len(b)), r.end-r.next-n); m > 0 {
				next.rest, n = append(next.rest, b[:m]), n+m
			}
		}
		from, into := r.a.ReadRange(r.ctx, r.key, r.next, n), slices.Clone(next.rest)
		r.ahead, r.next = append(r.ahead, next), r.next+n
		r.running.Go(func() {
			defer close(next.done)
			defer release()
			next.err = fill(into, from)
		})
	}
}

// slot takes a transfer for a range. It returns nil if there is none. Files that wait for one go first. The file's own
// transfer only serves beside others: with it alone, few large requests are better.
func (r *rangedReader) slot() (release func()) {
	if r.slots.all.TryAcquire(1) {
		r.extra.Add(1)
		return func() {
			r.extra.Add(-1)
			r.slots.Release()
		}
	}
	if r.extra.Load() > 0 && r.isLent.CompareAndSwap(false, true) {
		return func() { r.isLent.Store(false) }
	}
	return nil
}

// fill reads exactly as many bytes as the buffers have, and then the end, where the reader compares the length.
func fill(into [][]byte, from *ResumingReader) error {
	defer from.Close()
	for _, b := range into {
		if _, err := io.ReadFull(from, b); err != nil {
			return err
		}
	}
	if _, err := from.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}

// Close ends all requests and returns what they have taken.
func (r *rangedReader) Close() {
	r.cancel()
	if r.own != nil {
		r.own.Close()
		r.own = nil
	}
	r.running.Wait()
	for _, f := range r.ahead {
		r.slots.giveBack(f.buffers...)
	}
	r.ahead = nil
}
