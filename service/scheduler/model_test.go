package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// history is a random sequence of runs and their outcomes.
type history struct {
	expr  string
	last  time.Duration // ago; 0: no snapshot
	takes []time.Duration
	fails []bool
}

func drawHistory(t *rapid.T) history {
	h := history{
		expr: rapid.SampledFrom([]string{"* * * * *", "*/5 * * * *", "7,9,40 * * * *", "@every 90s", "@hourly"}).Draw(t, "schedule"),
		last: time.Duration(rapid.IntRange(0, 7200).Draw(t, "last")) * time.Second,
	}
	for range rapid.IntRange(1, 25).Draw(t, "runs") {
		d := rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, time.Hour}).Draw(t, "unit")
		h.takes = append(h.takes, d*time.Duration(rapid.IntRange(0, 4).Draw(t, "takes")))
		h.fails = append(h.fails, rapid.Bool().Draw(t, "fails"))
	}
	return h
}

// play lets a history happen and returns the runs, and when it began.
func (h *history) play(t *testing.T) (runs []span, begin time.Time) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin = time.Now()
		f := &fake{t: t, takes: func(n int) time.Duration { return h.takes[n] }}
		if h.last > 0 {
			f.last = begin.Add(-h.last)
		}
		f.comes = func(n int) error {
			if n == len(h.takes)-1 {
				cancel()
			}
			if h.fails[n] {
				return errBroken
			}
			return nil
		}
		if err := New(Options{}, []Job{f.job("a", h.expr, time.UTC)}).Run(ctx); err != nil {
			t.Error(err)
		}
		runs = f.runs
	})
	return runs, begin
}

// check compares runs with the model: after a run, the next begins at the first due time
// since its start, or when it ends, whichever is later; or sooner, after the backoff, if
// it failed. So none is lost, none comes twice, and none comes too early.
func (h *history) check(t *rapid.T, runs []span, begin time.Time) {
	schedule, err := ParseSchedule(h.expr, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != len(h.takes) {
		t.Fatalf("%d runs, not %d", len(runs), len(h.takes))
	}
	due, free, failures := begin, begin, 0
	if h.last > 0 {
		due = schedule.Next(begin.Add(-h.last))
	}
	for i, r := range runs {
		if got := r.to.Sub(r.from); got != h.takes[i] {
			t.Fatalf("run %d took %v, not %v", i, got, h.takes[i])
		}
		want := due
		if want.Before(free) {
			want = free
		}
		wait, longest := r.from.Sub(free), min(time.Hour, time.Second<<max(0, failures-1))
		retried := failures > 0 && wait >= longest*4/5 && wait <= longest && !r.from.After(want)
		if !r.from.Equal(want) && !retried {
			t.Fatalf("run %d, after %d failures, began at %v, not %v", i, failures, r.from, want)
		}
		if !due.After(r.from) {
			due = schedule.Next(due)
			if !due.After(r.from) {
				due = schedule.Next(r.from)
			}
		}
		if failures++; !h.fails[i] {
			failures = 0
		}
		free = r.to
	}
}

func TestRandomHistories(t *testing.T) {
	t.Parallel()
	const rounds = 10 // of the 100 histories that rapid draws by default
	for range rounds {
		rapid.Check(t, func(rt *rapid.T) {
			h := drawHistory(rt)
			runs, begin := h.play(t)
			h.check(rt, runs, begin)
		})
	}
}
