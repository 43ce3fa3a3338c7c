package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	deadline     = 15 * time.Second // of one attempt
	drainTimeout = 3 * time.Second  // for what is on its way at the end
	firstRetry   = time.Second
	lastRetry    = 10 * time.Minute
	giveUpAfter  = 24 * time.Hour // with one letter
)

// errUncertain marks an attempt that failed but may have arrived.
var errUncertain = errors.New("it may have arrived all the same")

// deliverer takes what its box holds to one target, one at a time. With nothing to do it
// waits in a select, without a timer.
type deliverer struct {
	queue queue
	send  func(ctx context.Context, l message) error // its errors show no secrets
	wake  chan struct{}                              // holds one
	log   *slog.Logger

	// Only run uses what follows.
	id       uint64    // the letter that the following is about
	began    time.Time // when it was first tried
	last     time.Time // when an attempt last ended
	failures int       // since then, in a row
	down     bool      // the last attempt failed, and this was logged
}

// wakeUp makes run look into the box.
func (c *deliverer) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look
	}
}

// run delivers until ctx ends. hard ends the attempt that is then still going on.
func (c *deliverer) run(ctx, hard context.Context) {
	for ctx.Err() == nil {
		l, ok := c.queue.next()
		if !ok {
			c.idle(ctx)
			continue
		}
		if wait := c.wait(l); wait > 0 {
			c.pause(ctx, wait)
			continue
		}
		c.attempt(hard, l)
	}
}

func (c *deliverer) idle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.wake:
	}
}

func (c *deliverer) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-timer.C:
	}
}

// wait returns how long l has to wait still. One that supersedes another begins anew, but
// not sooner after a failure than any retry.
func (c *deliverer) wait(l message) time.Duration {
	if l.id != c.id {
		c.id, c.began, c.failures = l.id, time.Time{}, min(c.failures, 1)
	}
	if c.failures == 0 {
		return 0
	}
	d := lastRetry
	if n := c.failures - 1; n < 10 {
		d = min(d, firstRetry<<n)
	}
	return time.Until(c.last.Add(d))
}

// attempt sends l once and notes what came of it.
func (c *deliverer) attempt(ctx context.Context, l message) {
	if c.began.IsZero() {
		c.began = time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := c.send(ctx, l)
	c.last = time.Now()
	if err == nil {
		c.queue.sent(l)
		c.failures = 0
		if c.down {
			c.log.Info("the notification target works again")
		}
		c.down = false
		return
	}
	c.failures++
	dropped := c.last.Sub(c.began) >= giveUpAfter
	c.queue.failed(l, errors.Is(err, errUncertain), dropped)
	switch {
	case dropped:
		c.log.Error("a notification was not delivered for 24 hours and is given up; see that the target is right and can be reached from here", "error", err)
	case !c.down:
		c.log.Warn("a notification was not delivered and is retried; see that the target is right and can be reached from here", "error", err)
	}
	c.down = true
}
