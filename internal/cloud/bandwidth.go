package cloud

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bandwidth limits what the buckets that share it send and receive, all together, with
// everything that goes over their connections. It is safe for concurrent use. A nil one
// is no limit.
type Bandwidth struct {
	at func(time.Time) int64

	mu      sync.Mutex
	limiter *rate.Limiter
}

// NewBandwidth returns a limit that may depend on the time of day: at gives the bytes per
// second that are allowed at a time, 0 for as many as there are.
func NewBandwidth(at func(time.Time) int64) *Bandwidth {
	return &Bandwidth{at: at, limiter: rate.NewLimiter(rate.Inf, 0)}
}

// The pieces that are let through one after another: an eighth of a second's worth, so
// that a connection whose turn it is does not keep the others waiting, within bounds.
const (
	leastPiece = 512
	mostPiece  = 64 << 10
)

// reserve takes the allowance for at most n bytes. It returns for how many there is one,
// and how long to wait for it.
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
		b.limiter.AllowN(now, b.limiter.Burst()) // what was not used before is not saved up
	}
	n = min(n, max(leastPiece, min(mostPiece, int(limit/8))))
	return n, b.limiter.ReserveN(now, n).DelayFrom(now)
}

// Slowest is the rate in bytes per second at which one of so many transfers must be
// allowed to crawl.
func (b *Bandwidth) Slowest(transfers int) int64 {
	least := int64(slowestRate)
	if b != nil {
		if limit := b.at(time.Now()); limit > 0 {
			least = min(least, limit/int64(8*transfers))
		}
	}
	return max(least, 1)
}

// throttledConn is a connection that keeps within a Bandwidth. Waiting for its turn does not
// count as standing still.
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

// Read implements net.Conn. What has arrived is paid for afterwards: the sender notices
// when nobody reads on.
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

// wait sleeps, and keeps the connection's deadlines from passing meanwhile.
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

// Close implements net.Conn. It ends waits, too.
func (l *throttledConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.IdleTimeoutConn.Close()
}

// wait waits for the allowance for n bytes that went past no connection.
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

// Reader returns r within the limit, until ctx ends.
func (b *Bandwidth) Reader(ctx context.Context, r io.Reader) io.Reader {
	return &throttledReader{r, ctx, b}
}

// ReaderAt is Reader for a ReaderAt.
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

// slowestRate is the rate in bytes per second below which an attempt to send takes too long,
// unless a Bandwidth leaves it less.
const slowestRate = 32 << 10
