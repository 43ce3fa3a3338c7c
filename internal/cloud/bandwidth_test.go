package cloud

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func constantly(n int64) *Bandwidth { return NewBandwidth(func(time.Time) int64 { return n }) }

// between checks the time since start, by the clock of the synctest bubble.
func between(t *testing.T, start time.Time, least, most time.Duration) {
	t.Helper()
	if took := time.Since(start); took < least || took > most {
		t.Errorf("it took %v, want %v to %v", took, least, most)
	}
}

// Several senders that share a limit keep within it together.
func TestBandwidthIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := constantly(1 << 20)
		start := time.Now()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := b.wait(t.Context(), 5<<20); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		between(t, start, 19*time.Second, 21*time.Second)
	})
}

func TestBandwidthByTheHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		change := time.Now().Add(10 * time.Second)
		b := NewBandwidth(func(now time.Time) int64 {
			if now.Before(change) {
				return 1 << 20
			}
			return 4 << 20
		})
		start := time.Now()
		if err := b.wait(t.Context(), 30<<20); err != nil { // 10 at first, then 20
			t.Fatal(err)
		}
		between(t, start, 14*time.Second, 16*time.Second)

		none := NewBandwidth(func(time.Time) int64 { return 0 })
		start = time.Now()
		if err := errors.Join(none.wait(t.Context(), 1<<40), (*Bandwidth)(nil).wait(t.Context(), 1<<40)); err != nil {
			t.Fatal(err)
		}
		between(t, start, 0, 0)
	})
}

func TestBandwidthEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := constantly(1024).wait(ctx, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		between(t, start, 3*time.Second, 3*time.Second)
	})
}

// A connection may wait for its turn for longer than its idle timeout, in either direction. Closing it ends
// the wait.
func TestLimitedConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := newThrottledConn(&IdleTimeoutConn{a, time.Second}, constantly(leastPiece/16)) // 16 s a piece
		start := time.Now()
		pending := make(chan error, 1)
		go func() { // as net/http reads while it sends
			_, err := c.Read(make([]byte, 1))
			pending <- err
		}()
		go io.Copy(io.Discard, b)
		if m, err := c.Write(make([]byte, leastPiece*4)); err != nil {
			t.Errorf("%d bytes: %v", m, err)
		}
		between(t, start, 60*time.Second, 70*time.Second)
		select {
		case err := <-pending:
			t.Errorf("the pending read ended: %v", err)
		default:
		}
		written := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, 1<<20))
			written <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-written; err == nil {
			t.Error("writing to a closed connection succeeded")
		}
		<-pending
	})
}
