package service

import (
	"testing"
	"time"
)

// A job that counts as just done, so that it can wait, was not done for all that.
func TestEndedWell(t *testing.T) {
	now := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	r := newRecord(&Job{Name: "orders", Task: "drill"})
	r.found(now)
	if j := r.get(); !j.EndedWell.IsZero() || !j.LastSuccess.Equal(now) {
		t.Errorf("before the first: %+v", j)
	}
	r.began(now)
	r.ended(now.Add(time.Minute), time.Minute, Result{Said: "it was restored"}, succeeded, nil)
	again := newRecord(&Job{Name: "orders", Task: "drill"})
	again.recall(r.memory())
	again.found(now.Add(time.Hour))
	if j := again.get(); !j.EndedWell.Equal(now.Add(time.Minute)) || j.Last.Said != "it was restored" {
		t.Errorf("after a restart: %+v", j)
	}
}
