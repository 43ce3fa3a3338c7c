package cloud

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bandwidth limits the bytes per second that all buckets that share it send and receive together. All
// bytes on their connections count. It is safe for concurrent use. A nil Bandwidth sets no limit.
type Bandwidth struct {
	at func(time.Time) int64

	mu      sync.Mutex
	limiter *rate.Limiter
}

// NewBandwidth returns a limit that may depend on the time of day: at returns the bytes per second that
// are allowed at a time. If it returns 0, there is no limit at that time.
func NewBandwidth(at func(time.Time) int64) *Bandwidth {
	return &Bandwidth{at: at, limiter: rate.NewLimiter(rate.Inf, 0)}
}

// The bounds, in bytes, of the pieces that connections send in turn. A piece is what the limit allows in an
// eighth of a second, so that no connection keeps the others waiting for long.
const (
	leastPiece = 512
	mostPiece  = 64 << 10
)

// reserve takes the allowance for at most n bytes. It returns the number of bytes that it allows, and
// how long the caller must wait before it moves them.
func (b *Bandwidth) reserve(n int) (int, time.Duration) {
	if b == nil {
		return n, 0
	}
	now := time.Now()
	limit := b.at(now)
	if limit <= 0 {
		return n, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if rate.Limit(limit) != b.limiter.Limit() {
		b.limiter = rate.NewLimiter(rate.Limit(limit), max(int(limit/8), mostPiece))
		b.limiter.AllowN(now, b.limiter.Burst()) // a new limiter starts without saved-up allowance
	}
	n = min(n, max(leastPiece, min(mostPiece, int(limit/8))))
	return n, b.limiter.ReserveN(now, n).DelayFrom(now)
}

// Slowest returns the lowest rate, in bytes per second, that one of several concurrent transfers may have
// without being too slow.
func (b *Bandwidth) Slowest(transfers int) int64 {
	least := int64(slowestRate)
	if b != nil {
		if limit := b.at(time.Now()); limit > 0 {
			least = min(least, limit/int64(8*transfers))
		}
	}
	return max(least, 1)
}

// throttledConn is a connection that keeps within a Bandwidth. Its idle timeout does not count the time
// that it waits for its turn.
type throttledConn struct {
	*IdleTimeoutConn
	bandwidth *Bandwidth
	closed    chan struct{}
	once      sync.Once
}

func newThrottledConn(c *IdleTimeoutConn, b *Bandwidth) net.Conn {
	return &throttledConn{IdleTimeoutConn: c, bandwidth: b, closed: make(chan struct{})}
}

// Write implements net.Conn.
func (l *throttledConn) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		n, wait := l.bandwidth.reserve(len(b) - sent)
		if err := l.wait(wait); err != nil {
			return sent, err
		}
		m, err := l.IdleTimeoutConn.Write(b[sent : sent+n])
		sent += m
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Read implements net.Conn. It waits after the bytes have arrived: the sender slows down because no more
// is read until then.
func (l *throttledConn) Read(b []byte) (int, error) {
	n, err := l.IdleTimeoutConn.Read(b[:min(len(b), mostPiece)])
	for paid := 0; paid < n; {
		m, wait := l.bandwidth.reserve(n - paid)
		if waitErr := l.wait(wait); waitErr != nil {
			return 0, waitErr
		}
		paid += m
	}
	return n, err
}

// wait sleeps for d, and extends the connection's deadlines so that they do not pass before.
func (l *throttledConn) wait(d time.Duration) error {
	for d > 0 {
		step := min(d, l.timeout/4)
		t := time.NewTimer(step)
		select {
		case <-t.C:
		case <-l.closed:
			t.Stop()
			return net.ErrClosed
		}
		if err := l.SetDeadline(time.Now().Add(l.timeout)); err != nil {
			return err
		}
		d -= step
	}
	return nil
}

// Close implements net.Conn. It also ends the waits of Read and Write.
func (l *throttledConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.IdleTimeoutConn.Close()
}

// wait waits for the allowance for n bytes that no throttledConn has counted.
func (b *Bandwidth) wait(ctx context.Context, n int) error {
	for n > 0 {
		m, wait := b.reserve(n)
		if wait > 0 {
			if err := Pause(ctx, wait); err != nil {
				return err
			}
		}
		n -= m
	}
	return nil
}

// Reader returns a reader of r that keeps within the limit. Its reads fail once ctx has ended.
func (b *Bandwidth) Reader(ctx context.Context, r io.Reader) io.Reader {
	return &throttledReader{r, ctx, b}
}

// ReaderAt returns a ReaderAt of r that keeps within the limit. Its reads fail once ctx has ended.
func (b *Bandwidth) ReaderAt(ctx context.Context, r io.ReaderAt) io.ReaderAt {
	return &throttledReaderAt{r, ctx, b}
}

// throttledReader is a reader that keeps within a Bandwidth.
type throttledReader struct {
	io.Reader
	ctx       context.Context
	bandwidth *Bandwidth
}

// Read implements io.Reader.
func (l *throttledReader) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if waitErr := l.bandwidth.wait(l.ctx, n); waitErr != nil {
		return 0, waitErr
	}
	return n, err
}

// throttledReaderAt is throttledReader for a ReaderAt.
type throttledReaderAt struct {
	io.ReaderAt
	ctx       context.Context
	bandwidth *Bandwidth
}

// ReadAt implements io.ReaderAt.
func (l *throttledReaderAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := l.ReaderAt.ReadAt(b, off)
	if waitErr := l.bandwidth.wait(l.ctx, n); waitErr != nil {
		return 0, waitErr
	}
	return n, err
}

// slowestRate is the rate, in bytes per second, below which an attempt to send takes too long, unless a
// Bandwidth allows it less.
const slowestRate = 32 << 10
