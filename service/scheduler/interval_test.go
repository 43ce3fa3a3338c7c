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
	// Monday to Friday: an alert must not report every weekend.
	friday := time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC)
	weekdays := (&fake{t: t}).job("a", "0 3 * * 1-5", time.UTC).Schedule
	for day := range 7 {
		at := friday.AddDate(0, 0, day)
		if d := newTimetable(&Job{Schedule: weekdays}, at, at).interval(); d != 3*24*time.Hour {
			t.Errorf("at %v: %v", at, d)
		}
	}
	now := time.Unix(0, 0)
	if d := newTimetable(&Job{Schedule: never{}}, now, now).interval(); d != 0 {
		t.Errorf("without times: %v", d)
	}
}
