package scheduler

import (
	"testing"
	"time"
)

// A dashboard or an alert needs the interval to judge how old a verification may be.
func TestInterval(t *testing.T) {
	t.Parallel()
	a, _ := quarterly(t, 0)
	if d := a.interval(); d != 15*time.Minute {
		t.Errorf("%v", d)
	}
	now := time.Unix(0, 0)
	if d := newTimetable(&Job{Schedule: never{}}, now, now).interval(); d != 0 {
		t.Errorf("without times: %v", d)
	}
}
