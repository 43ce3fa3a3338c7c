package scheduler

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOverdue(t *testing.T) {
	t.Parallel()
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins, and hourly is due
	tests := map[string]struct {
		last time.Time
		err  error
		boom bool
		want time.Duration
	}{
		"no snapshot":                   {},
		"long ago":                      {last: now.Add(-100 * 24 * time.Hour)},
		"just before the last due time": {last: now.Add(-time.Millisecond)},
		"since the last due time":       {last: now, want: time.Hour},
		"in times to come":              {last: now.Add(time.Hour)},
		"not known":                     {err: errBroken},
		"not known, by a panic":         {boom: true},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{t: t}
			j := f.job("a", "@hourly", time.UTC)
			j.Last = func(context.Context) (time.Time, error) {
				if test.boom {
					panic("boom")
				}
				return test.last, test.err
			}
			runFor(t, 90*time.Minute, j)
			starts := f.starts()
			if len(starts) == 0 || starts[0].Sub(now) != test.want {
				t.Errorf("%s: runs at %v, not after %v", name, starts, test.want)
			}
		})
	}
}

// Runs that become due during a run are made up for by one run.
func TestOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, takes: func(n int) time.Duration {
			return []time.Duration{40 * time.Minute, time.Minute, 15 * time.Minute, 0, 0}[n]
		}}
		runFor(t, 90*time.Minute-1, f.job("a", "*/15 * * * *", time.UTC))
		want := []int{0, 40, 45, 60, 75}
		starts := f.starts()
		if len(starts) != len(want) {
			t.Fatalf("runs at %v", starts)
		}
		for i, s := range starts {
			if got := s.Sub(begin); got != time.Duration(want[i])*time.Minute {
				t.Errorf("run %d after %v, not %d min", i, got, want[i])
			}
		}
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const failures = 20
		f := &fake{t: t, comes: func(n int) error {
			if n < failures {
				return errBroken
			}
			return nil
		}}
		s := runFor(t, 30*24*time.Hour, f.job("a", "@yearly", time.UTC))
		starts := f.starts()
		if len(starts) != failures+1 {
			t.Fatalf("%d runs", len(starts))
		}
		want := time.Second
		for i, at := range starts[1:] {
			if d := at.Sub(starts[i]); d > want || d < want*4/5 {
				t.Errorf("after %d failures it waited for %v, not %v", i+1, d, want)
			}
			want = min(2*want, time.Hour)
		}
		j := s.Status().Jobs[0]
		if j.Total.Failed != failures || j.FailuresInRow != 0 || j.LastError != errBroken.Error() || !j.LastFailure.Before(j.LastSuccess) {
			t.Errorf("status %+v", j)
		}
	})
}

// However long the backoff is, the next scheduled run comes in time.
func TestFailuresDoNotMissTheSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, comes: func(int) error { return errBroken }}
		begin := time.Now()
		runFor(t, 24*time.Hour-1, f.job("a", "*/10 * * * *", time.UTC))
		at := map[time.Duration]bool{}
		for _, s := range f.starts() {
			at[s.Sub(begin)] = true
		}
		for d := time.Duration(0); d < 24*time.Hour; d += 10 * time.Minute {
			if !at[d] {
				t.Errorf("no run after %v", d)
			}
		}
		if len(at) > 24*6+12 {
			t.Errorf("%d runs: the backoff started at the beginning again", len(at))
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, takes: func(int) time.Duration { return time.Hour }}
		s := New(Options{}, []Job{f.job("a", "@daily", time.UTC)})
		if s.Running() || s.Stop() != nil {
			t.Error("it runs before it was started")
		}
		for range 3 {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(t.Context()); !errors.Is(err, ErrRunning) {
				t.Errorf("a second start: %v", err)
			}
			time.Sleep(time.Minute)
			if st := s.Status(); !s.Running() || !st.Running || !st.Jobs[0].Running() {
				t.Errorf("it does not run: %+v", st)
			}
			before := time.Now()
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if time.Since(before) != 0 {
				t.Error("it stopped late")
			}
			if st := s.Status(); st.Running || st.Jobs[0].Running() || !st.Jobs[0].Next.IsZero() {
				t.Errorf("it still runs: %+v", st)
			}
		}
		if st := s.Status(); st.Milliseconds != 3*60_000 || st.Jobs[0].Total.Runs() != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestStatusBetweenRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, last: begin}
		s := New(Options{}, []Job{f.job("a", "@daily", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for day := range 3 {
			time.Sleep(time.Hour)
			st := s.Status()
			j := st.Jobs[0]
			if want := begin.AddDate(0, 0, day+1); j.Running() || !j.Next.Equal(want) || j.Name != "a" || !st.Started.Equal(begin) {
				t.Errorf("status %+v, next is %v", j, want)
			}
			if day > 0 && !j.LastSuccess.Equal(begin.AddDate(0, 0, day)) {
				t.Errorf("the last success was at %v", j.LastSuccess)
			}
			time.Sleep(23 * time.Hour)
			synctest.Wait()
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if j := s.Status().Jobs[0]; !j.Next.IsZero() || j.Total.Runs() != 3 {
			t.Errorf("after the end: %+v", j)
		}
	})
}

// A run that ignores its context holds up neither the other jobs nor the end.
func TestHanging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		bad := &fake{t: t, during: func() { <-release }}
		good := &fake{t: t}
		s := New(Options{}, []Job{bad.job("bad", "@hourly", time.UTC), good.job("good", "@hourly", time.UTC)})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour-1)
		defer cancel()
		begin := time.Now()
		err := s.Run(ctx)
		if !errors.Is(err, ErrStopTimeout) || !strings.HasSuffix(err.Error(), ": bad") {
			t.Errorf("Run returned %v", err)
		}
		if d := time.Since(begin); d != 24*time.Hour-1+Grace {
			t.Errorf("Run returned after %v", d)
		}
		if n := len(good.starts()); n != 24 {
			t.Errorf("the other job ran %d times, not 24", n)
		}
		if err := s.Start(t.Context()); !errors.Is(err, ErrRunning) || !s.Running() {
			t.Errorf("it can be started although a job runs: %v", err)
		}
		close(release)
		synctest.Wait()
		if s.Running() {
			t.Error("it runs after the last run ended")
		}
	})
}

func TestHangingLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t}
		j := f.job("a", "@hourly", time.UTC)
		j.Last = func(ctx context.Context) (time.Time, error) {
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}
		runFor(t, time.Hour, j)
		if n := len(f.starts()); n != 0 {
			t.Errorf("%d runs after the end", n)
		}
	})
}

func TestNoJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{}, nil)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if !s.Running() {
			t.Error("it did not wait for its end")
		}
		if err := s.Stop(); err != nil || s.Running() {
			t.Errorf("it did not end: %v", err)
		}
	})
}

// With -race: status and stop from anywhere at any time.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, takes: func(n int) time.Duration { return time.Duration(n%7) * time.Second }}
		s := New(Options{}, []Job{f.job("a", "* * * * *", time.UTC)})
		for range 8 {
			go func() {
				for range 50 {
					if err := s.Start(t.Context()); err != nil && !errors.Is(err, ErrRunning) {
						t.Error(err)
					}
					s.Status()
					time.Sleep(37 * time.Second)
					if err := s.Stop(); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		time.Sleep(2 * time.Hour)
		if s.Running() {
			t.Error("it still runs")
		}
	})
}
