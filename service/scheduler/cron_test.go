package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// A year has an hour that is skipped, in March, and one that comes twice, in October.
func year(l *time.Location) (begin, end time.Time) {
	return time.Date(2026, time.January, 1, 0, 0, 0, 0, l), time.Date(2027, time.January, 1, 0, 0, 0, 0, l)
}

func TestYearOfQuarterHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := berlin(t)
		begin, end := year(l)
		if soaktest.Racing { // the other runs do the same once more
			end = begin.AddDate(0, 0, 7)
		}
		sleepUntil(begin.Add(-time.Second))
		f := &fake{t: t, last: begin.Add(-15 * time.Minute)}
		runFor(t, end.Sub(begin), f.job("a", "*/15 * * * *", l))
		starts := f.starts()
		for i, s := range starts {
			if want := begin.Add(time.Duration(i) * 15 * time.Minute); !s.Equal(want) {
				t.Fatalf("run %d began at %v, not %v", i, s.In(l), want)
			}
		}
		if want := int(end.Sub(begin) / (15 * time.Minute)); len(starts) != want {
			t.Errorf("%d runs, not %d", len(starts), want)
		}
	})
}

// A daily run in the hour that is skipped in spring and comes twice in autumn.
func TestYearOfNights(t *testing.T) {
	t.Parallel()
	for _, jitter := range []time.Duration{0, 20 * time.Minute} {
		if jitter > 0 && testing.Short() {
			continue // it takes six seconds
		}
		t.Run(jitter.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { aYearOfNights(t, jitter) })
		})
	}
}

func aYearOfNights(t *testing.T, jitter time.Duration) {
	l := berlin(t)
	begin, end := year(l)
	sleepUntil(begin)
	f := &fake{t: t, last: begin}
	j := f.job("a", "30 2 * * *", l)
	j.Jitter = jitter
	runFor(t, end.Sub(begin), j)
	starts := f.starts()
	if len(starts) != 365 {
		t.Fatalf("%d runs, not 365", len(starts))
	}
	for i, s := range starts {
		day := begin.AddDate(0, 0, i)
		due := time.Date(2026, day.Month(), day.Day(), 2, 30, 0, 0, l)
		switch day.Format("01-02") {
		case "03-29": // 2:30 is skipped
			due = time.Date(2026, time.March, 29, 3, 30, 0, 0, l)
		case "10-25": // of two, the first
			due = time.Date(2026, time.October, 25, 0, 30, 0, 0, time.UTC)
		}
		if late := s.Sub(due); late < 0 || late > max(0, jitter-1) {
			t.Errorf("the run of %v began at %v", due, s.In(l))
		}
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, last: begin.Add(-4 * time.Minute)}
		j := f.job("a", "@every 10m", time.UTC)
		j.Jitter = 3 * time.Minute
		runFor(t, 24*time.Hour, j)
		starts := f.starts()
		if len(starts) != 144 {
			t.Errorf("%d runs in a day, not 144", len(starts))
		}
		for i, s := range starts { // jitter does not add up
			if late := s.Sub(begin.Add(6*time.Minute + time.Duration(i)*10*time.Minute)); late < 0 || late >= j.Jitter {
				t.Errorf("run %d is late by %v", i, late)
			}
		}
	})
}

func TestJitterBeyondTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, last: time.Now()}
		j := f.job("a", "*/5 * * * *", time.UTC)
		j.Jitter = 12 * time.Minute
		runFor(t, 24*time.Hour, j)
		before := time.Now().Add(-24 * time.Hour)
		for _, s := range f.starts() {
			if gap := s.Sub(before); gap > 17*time.Minute {
				t.Errorf("no run for %v before %v", gap, s)
			}
			before = s
		}
	})
}

// Jobs that belong together begin together, whatever the jitter.
func TestTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var all []*fake
		var jobs []Job
		for i, together := range []string{"orders", "orders", ""} {
			f := &fake{t: t, last: begin}
			j := f.job(string(rune('a'+i)), "*/15 * * * *", time.UTC)
			j.Jitter, j.Together = 5*time.Minute, together
			all, jobs = append(all, f), append(jobs, j)
		}
		runFor(t, 24*time.Hour, jobs...)
		a, b, other := all[0].starts(), all[1].starts(), all[2].starts()
		if len(a) < 90 || !slices.EqualFunc(a, b, time.Time.Equal) {
			t.Errorf("they began at %v and at %v", a, b)
		}
		if slices.EqualFunc(a, other, time.Time.Equal) || a[0].Sub(begin)%(15*time.Minute) == a[1].Sub(begin)%(15*time.Minute) {
			t.Errorf("there is no jitter: %v", a)
		}
	})
}

func TestParseSchedule(t *testing.T) {
	t.Parallel()
	if _, err := ParseSchedule("@closed", time.UTC); err == nil {
		t.Error("@closed is no schedule")
	}
	for _, expr := range []string{"@close", "@hourly", "@every 90s", "0 4 * * mon-fri"} {
		if _, err := ParseSchedule(expr, time.UTC); err != nil {
			t.Error(err)
		}
	}
}

func ExampleParseSchedule() {
	s, err := ParseSchedule("30 4 * * *", time.UTC)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Next(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)))
	// Output: 2026-11-24 04:30:00 +0000 UTC
}
