package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turnLimit is how long a run keeps its turn. A longer run continues without one, so that runs that take hours, or that
// hang, delay the others for a short time only. So the turns bound how many runs begin in a time, and not how many run:
// of runs that all take t, up to t/turnLimit times as many run as there are turns.
const turnLimit = 30 * time.Second

// turns bounds the runs that begin at the same time, and those that run while each is short: the schedules of thousands of jobs may have the same moment. Its
// methods are safe for concurrent use. A nil turns has no bound.
type turns struct {
	mu        sync.Mutex
	free      int
	requested []*turn // in the order of arrival; they come before the scheduled ones
	scheduled []*turn
}

// turn is the place of one run in the queue. It is had when its channel is closed.
type turn struct{ had chan struct{} }

// newTurns returns turns for that many runs at a time, or nil if there is no bound.
func newTurns(most int) *turns {
	if most <= 0 {
		return nil
	}
	return &turns{free: most}
}

// enter joins the queue.
func (t *turns) enter(requested bool) *turn {
	one := &turn{make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if requested {
		t.requested = append(t.requested, one)
	} else {
		t.scheduled = append(t.scheduled, one)
	}
	t.next()
	return one
}

// request moves a turn to the requested ones, unless its run has begun.
func (t *turns) request(one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.scheduled, one); i >= 0 {
		t.scheduled = slices.Delete(t.scheduled, i, i+1)
		t.requested = append(t.requested, one)
	}
}

// leave ends a turn that is still in the queue, or passes it on.
func (t *turns) leave(one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, queue := range []*[]*turn{&t.requested, &t.scheduled} {
		if i := slices.Index(*queue, one); i >= 0 {
			*queue = slices.Delete(*queue, i, i+1)
			return
		}
	}
	t.free++
	t.next()
}

// next gives the free turns to those that wait, with t.mu held.
func (t *turns) next() {
	for ; t.free > 0 && len(t.requested)+len(t.scheduled) > 0; t.free-- {
		queue := &t.requested
		if len(*queue) == 0 {
			queue = &t.scheduled
		}
		close((*queue)[0].had)
		*queue = slices.Delete(*queue, 0, 1)
	}
}

// take waits for a turn, and reports whether there is one: there is none after ctx has ended. An element of asked is a
// request for the run. The caller calls release after the run.
func (t *turns) take(ctx context.Context, requested bool, asked <-chan struct{}) (release func(), ok bool) {
	if t == nil {
		return func() {}, true
	}
	one := t.enter(requested)
	for {
		select {
		case <-one.had:
			leave := sync.OnceFunc(func() { t.leave(one) })
			limit := time.AfterFunc(turnLimit, leave)
			return func() {
				limit.Stop()
				leave()
			}, true
		case <-asked:
			t.request(one)
		case <-ctx.Done():
			t.leave(one)
			return nil, false
		}
	}
}
