package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// started is a service of one job that keeps its state in dir.
func started(t *testing.T, dir string, j Job) *Service {
	t.Helper()
	s := New(Options{Dir: dir}, []Job{j})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return s
}

func stop(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A database in which nothing happens has an old snapshot, and runs that ended well since. A
// restart begins one more, and is no reason for a notification.
func TestIdleIsNotOverdueAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, last: time.Now().AddDate(0, 0, -10), takes: func(int) time.Duration { return time.Minute }}
		j := f.job("a", "@hourly", time.UTC)
		s := started(t, dir, j)
		if !s.Status().Jobs[0].Overdue(time.Now()) {
			t.Error("after ten days without a run it is not overdue")
		}
		time.Sleep(90 * time.Minute)
		stop(t, s)
		s = started(t, dir, j)
		if st := s.Status().Jobs[0]; !st.Running() || st.Overdue(time.Now()) {
			t.Errorf("after a restart: %+v", st)
		}
		stop(t, s)
		time.Sleep(4 * time.Hour)
		s = started(t, dir, j)
		if st := s.Status().Jobs[0]; !st.Running() || !st.Overdue(time.Now()) {
			t.Errorf("after four hours without a run: %+v", st)
		}
		stop(t, s)
	})
}

// A provider that hangs at the start is no reason to report for ever that all is well.
func TestOverdueWhileLastHangs(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"@hourly", "@close"} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			f := &fake{t: t}
			j := f.job("a", expr, time.UTC)
			j.OnClose = expr == "@close"
			stop(t, started(t, dir, j)) // after a good run
			j.Last = func(ctx context.Context) (time.Time, error) {
				<-ctx.Done()
				return time.Time{}, ctx.Err()
			}
			s := started(t, dir, j)
			if st := s.Status().Jobs[0]; st.Overdue(time.Now()) {
				t.Errorf("%s: overdue at once: %+v", expr, st)
			}
			time.Sleep(2 * time.Hour)
			if st := s.Status().Jobs[0]; !st.Overdue(time.Now()) || st.Known {
				t.Errorf("%s: not overdue: %+v", expr, st)
			}
			stop(t, s)
		})
	}
}

// A job without snapshots, such as a prune, is made up for after a stop, too. It does not run only
// because the service is started over and over.
func TestTasksAfterAStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // from midnight on
		f := &fake{t: t}
		j := f.job("a", "@daily", time.UTC)
		j.Task, j.Last = "prune", nil
		runs := func(want int, when string) {
			t.Helper()
			if n := len(f.starts()); n != want {
				t.Errorf("%d runs %s, not %d", n, when, want)
			}
		}
		for range 3 {
			s := started(t, dir, j)
			time.Sleep(7 * time.Hour)
			stop(t, s)
		}
		runs(0, "on the first day")
		for day := range 3 { // off at midnight, each time
			time.Sleep(10 * time.Hour)
			s := started(t, dir, j)
			runs(day+1, "since the first day")
			time.Sleep(14 * time.Hour)
			synctest.Wait()
			stop(t, s)
			s = started(t, dir, j)
			stop(t, s)
			runs(day+1, "after another start")
		}
	})
}
