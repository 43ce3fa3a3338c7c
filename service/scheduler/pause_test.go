package scheduler

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While an archive is paused, its source and its bucket can be worked on: no run begins, for whatever reason. Nothing
// counts as overdue for that. After it, one run makes up for all that passed.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, last: begin, takes: func(int) time.Duration { return 2 * time.Minute }}
		other := &fake{t: t, last: begin}
		task := f.job("a", "30 * * * *", time.UTC)
		verified := &fake{t: t, last: begin}
		task.Task, task.Run = "verify", verified.run
		s := New(Options{Most: 8}, []Job{f.job("a", "@hourly", time.UTC), other.job("b", "@hourly", time.UTC), task})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Minute)
		s.Pause("a") // during a run, which continues
		synctest.Wait()
		if !s.Status().Jobs[0].Running() {
			t.Error("the pause ended the run")
		}
		time.Sleep(3*time.Hour + 29*time.Minute)
		if _, err := s.Trigger("a"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for _, j := range s.JobsOf("a") {
			if j.Running() || j.Overdue(time.Now()) || !j.Next.IsZero() || j.LastSuccess.IsZero() {
				t.Errorf("while it is paused: %+v", j)
			}
		}
		if n := len(other.starts()); n != 4 {
			t.Errorf("another archive had %d runs, not 4", n)
		}
		s.Resume("a")
		synctest.Wait()
		for _, j := range s.JobsOf("a") {
			if j.Overdue(time.Now()) {
				t.Errorf("right after it: %+v", j)
			}
		}
		time.Sleep(40 * time.Minute) // until 5:10
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			fake *fake
			want []time.Duration
		}{
			{f, []time.Duration{time.Hour, 4*time.Hour + 30*time.Minute, 5 * time.Hour}},
			{verified, []time.Duration{30 * time.Minute, 4*time.Hour + 30*time.Minute}},
		} {
			var got []time.Duration
			for _, at := range c.fake.starts() {
				got = append(got, at.Sub(begin))
			}
			if !equal(got, c.want) {
				t.Errorf("runs after %v, not %v", got, c.want)
			}
		}
	})
}

// A reload, or a restart, does not end a pause: the new job of that name is paused, too.
func TestPauseOutlivesAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t}
		s := New(Options{}, nil)
		s.Pause("a")
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Set([]Job{f.job("a", "@hourly", time.UTC)})
		time.Sleep(5 * time.Hour)
		changed := f.job("a", "@hourly", time.UTC)
		changed.Version = "2"
		s.Set([]Job{changed})
		time.Sleep(5 * time.Hour)
		if n := len(f.starts()); n != 0 {
			t.Errorf("%d runs", n)
		}
		// The job that ends in the pause and its successor share their status.
		changed.Version = "3"
		s.Set([]Job{changed})
		s.Resume("a")
		time.Sleep(90 * time.Minute)
		if j := s.Status().Jobs[0]; len(f.starts()) < 2 || j.Next.IsZero() {
			t.Errorf("after it: %d runs, %+v", len(f.starts()), j)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A clock that was ahead, and is put right during a pause, does not hold the runs back until the time it had.
func TestClockGoesBackInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		ahead.Store(int64(365 * 24 * time.Hour))
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		f := &fake{t: t, last: now()}
		s := New(Options{Now: now}, []Job{f.job("a", "@hourly", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Minute)
		s.Pause("a")
		synctest.Wait()
		ahead.Store(0)
		time.Sleep(time.Hour)
		before := len(f.starts())
		s.Resume("a")
		time.Sleep(24 * time.Hour)
		if n := len(f.starts()) - before; n < 24 || n > 25 {
			t.Errorf("%d hourly runs in the day after the pause", n)
		}
		if j := s.Status().Jobs[0]; j.Overdue(now()) {
			t.Errorf("overdue: %+v", j)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}
