package scheduler

import (
	"testing"
	"time"
)

// A job that was never done waits from when it was first known, also over a restart, and is not
// reported as done for all that.
func TestNeverDone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	r := newStatusTracker(&Job{Name: "orders", Task: "drill"})
	if last, isNew := r.remembered(now); !last.Equal(now) || !isNew || !r.get().LastSuccess.IsZero() {
		t.Errorf("at first: %v, %v, %+v", last, isNew, r.get())
	}
	again := newStatusTracker(&Job{Name: "orders", Task: "drill"})
	again.restore(r.persisted())
	if last, isNew := again.remembered(now.Add(time.Hour)); !last.Equal(now) || isNew || !again.get().LastSuccess.IsZero() {
		t.Errorf("after a restart: %v, %v, %+v", last, isNew, again.get())
	}
	again.began(now)
	again.ended(now.Add(2*time.Hour), time.Minute, Result{Said: "it was restored"}, succeeded, nil)
	if last, _ := again.remembered(now.Add(3 * time.Hour)); !last.Equal(now.Add(2*time.Hour)) || again.get().Last.Said != "it was restored" {
		t.Errorf("once it was done: %v, %+v", last, again.get())
	}
}
