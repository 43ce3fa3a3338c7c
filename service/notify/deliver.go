package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	deadline     = 15 * time.Second // for one attempt
	drainTimeout = 3 * time.Second  // for attempts in progress when the context ends
	firstRetry   = time.Second
	lastRetry    = 10 * time.Minute
	giveUpAfter  = 24 * time.Hour // from a message's first attempt
)

// errUncertain marks a failed attempt whose message may have been delivered.
var errUncertain = errors.New("it may have been delivered")

// deliverer delivers the messages of its queue to one target, one at a time. While the queue is empty it waits
// without a timer.
type deliverer struct {
	queue queue
	send  func(ctx context.Context, l message) error // its errors show no secrets
	wake  chan struct{}                              // holds one
	log   *slog.Logger

	failed atomic.Int64 // attempts

	shared  *sharedTarget // nil if no other archive can have the target
	archive string

	// Only run uses what follows.
	id       uint64    // the message that the following fields describe
	began    time.Time // its first attempt
	last     time.Time // the end of the last attempt
	failures int       // failed attempts in a row
	down     bool      // the last attempt failed, and this was logged
}

// wakeUp makes run check its queue.
func (c *deliverer) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to check
	}
}

// sendOnce sends l by itself, or with those of other archives.
func (c *deliverer) sendOnce(ctx, hard context.Context, l message) error {
	if c.shared != nil && c.shared.isShared() {
		m := &member{message: l, archive: c.archive, queue: c.queue, send: c.send}
		return c.shared.deliver(ctx, hard, c.wake, m)
	}
	hard, cancel := context.WithTimeout(hard, deadline)
	defer cancel()
	return c.send(hard, l)
}

// run delivers until ctx ends. An attempt that is then in progress ends with hard.
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
		c.attempt(ctx, hard, l)
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

// wait returns the remaining delay of l. A message that supersedes another restarts the back-off, but still waits
// for the first retry delay after a failure.
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

// attempt sends l once and records the result.
func (c *deliverer) attempt(ctx, hard context.Context, l message) {
	if c.began.IsZero() {
		c.began = time.Now()
	}
	err := c.sendOnce(ctx, hard, l)
	if errors.Is(err, errDropped) {
		return
	}
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
	c.failed.Add(1)
	dropped := c.last.Sub(c.began) >= giveUpAfter
	c.queue.failed(l, errors.Is(err, errUncertain), dropped)
	switch {
	case dropped:
		c.log.Error("a notification could not be delivered for 24 hours and is dropped; "+
			"check that the target is correct and reachable from this host", "error", err)
	case !c.down:
		c.log.Warn("a notification could not be delivered and will be retried; "+
			"check that the target is correct and reachable from this host", "error", err)
	}
	c.down = true
}
