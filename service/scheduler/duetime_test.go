package scheduler

import (
	"testing"
	"time"
)

// quarterly is a timetable of every quarter of an hour that ran at noon.
func quarterly(t *testing.T, jitter time.Duration) (a *timetable, noon time.Time) {
	t.Helper()
	s, err := ParseSchedule("*/15 * * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a = newTimetable(&Job{Schedule: s, Jitter: jitter}, noon.Add(-15*time.Minute), noon)
	if d := a.wait(noon); d != 0 {
		t.Fatalf("it is not due at noon, but in %v", d)
	}
	a.began(noon)
	a.ended(noon, succeeded)
	return a, noon
}

// dueAt checks when a timetable at the time now schedules its next run.
func dueAt(t *testing.T, a *timetable, now, want time.Time) {
	t.Helper()
	a.wait(now)
	if got, ok := a.next(); !ok || !got.Equal(want) {
		t.Errorf("at %v the next run is at %v, not %v", now, got, want)
	}
}

func TestClockGoesForward(t *testing.T) {
	t.Parallel()
	a, noon := quarterly(t, 0)
	dueAt(t, a, noon.Add(time.Minute), noon.Add(15*time.Minute))
	morning := noon.Add(20*time.Hour + 3*time.Minute) // suspended over night
	if d := a.wait(morning); d != 0 {
		t.Fatalf("what was missed comes in %v, not at once", d)
	}
	a.began(morning)
	a.ended(morning, succeeded)
	dueAt(t, a, morning, noon.Add(20*time.Hour+15*time.Minute)) // once is enough
}

func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	a, noon := quarterly(t, 0)
	yesterday := noon.Add(-24 * time.Hour)
	dueAt(t, a, yesterday.Add(time.Minute), yesterday.Add(15*time.Minute))
}

func TestClockGoesBackALittle(t *testing.T) {
	t.Parallel()
	a, noon := quarterly(t, 0)
	// Noon comes again, and is not served again.
	dueAt(t, a, noon.Add(-3*time.Second), noon.Add(15*time.Minute))
	dueAt(t, a, noon.Add(-30*time.Second), noon.Add(15*time.Minute))
}

func TestClockGoesBackWhileFailing(t *testing.T) {
	t.Parallel()
	a, noon := quarterly(t, 0)
	for range 30 {
		a.began(noon)
		a.ended(noon, failed)
	}
	yesterday := noon.Add(-24 * time.Hour)
	if d := a.wait(yesterday); d != 0 {
		t.Errorf("it tries again after %v, not at once", d)
	}
}

// No wait outlasts a jump of the clock.
func TestWaitIsShort(t *testing.T) {
	t.Parallel()
	a, noon := quarterly(t, time.Minute)
	for now := noon; now.Before(noon.Add(15 * time.Minute)); now = now.Add(time.Second) {
		if d := a.wait(now); d <= 0 || d > time.Minute {
			t.Fatalf("at %v it waits for %v", now, d)
		}
	}
}

func TestNeverDue(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := newTimetable(&Job{Schedule: never{}}, now.Add(-time.Hour), now)
	if d := a.wait(now); d != recheck {
		t.Errorf("what is never due waits for %v", d)
	}
	a = newTimetable(&Job{Schedule: never{}}, time.Time{}, now)
	a.began(now)
	a.ended(now, failed)
	if at, ok := a.next(); !ok || at.Before(now) || at.After(now.Add(time.Second)) {
		t.Errorf("what failed is tried again at %v", at)
	}
}

type never struct{}

func (never) Next(time.Time) time.Time { return time.Time{} }

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]time.Duration{
		1: time.Second, 2: 2 * time.Second, 12: 2048 * time.Second, 13: time.Hour, 100: time.Hour, 1 << 40: time.Hour,
	} {
		for range 100 {
			if d := backoff(n); d > want || d <= want*4/5-1 {
				t.Errorf("after %d failures it waits for %v, not %v", n, d, want)
			}
		}
	}
}

// Where the clock is put forward at midnight, a day has no 0:00. A snapshot, verify, drill or prune
// of that day is due right after, and overdue if it does not succeed.
func TestDueWhereMidnightIsSkipped(t *testing.T) {
	t.Parallel()
	beirut, err := time.LoadLocation("Asia/Beirut")
	if err != nil {
		t.Fatal(err)
	}
	for _, expr := range []string{"@daily", "@weekly"} {
		schedule, err := ParseSchedule(expr, beirut)
		if err != nil {
			t.Fatal(err)
		}
		want := time.Date(2026, 3, 29, 1, 0, 0, 0, beirut)
		last := time.Date(2026, 3, 28, 12, 0, 0, 0, beirut)
		a := newTimetable(&Job{Schedule: schedule, Task: "verify"}, last, last)
		if at, ok := a.next(); !ok || !at.Equal(want) {
			t.Errorf("%s is due %v", expr, at)
		}
		if late := a.deadline(time.Minute); late.Before(want) || late.After(want.Add(2*time.Hour)) {
			t.Errorf("%s is overdue after %v", expr, late)
		}
		a = newTimetable(&Job{Schedule: schedule, Task: "verify"}, last, want.Add(time.Hour))
		a.catchUp(last, want.Add(time.Hour))
		if !a.overdueSince.Equal(want) {
			t.Errorf("%s, found at the start, is overdue since %v", expr, a.overdueSince)
		}
	}
}
