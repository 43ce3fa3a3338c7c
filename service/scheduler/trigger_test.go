package scheduler

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, last: begin, takes: func(int) time.Duration { return 10 * time.Minute }}
		s := New(Options{}, []Job{f.job("a", "@hourly", time.UTC)})
		if _, err := s.Trigger("a"); !errors.Is(err, ErrStopped) {
			t.Errorf("before the start: %v", err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Trigger("b"); !errors.Is(err, ErrNoJob) {
			t.Errorf("a job that is not there: %v", err)
		}
		time.Sleep(20 * time.Minute)
		ask := func(want TriggerResult, wantErr error) {
			t.Helper()
			if got, err := s.Trigger("a"); got != want || !errors.Is(err, wantErr) {
				t.Errorf("Trigger: %q, %v; not %q, %v", got, err, want, wantErr)
			}
			synctest.Wait()
		}
		ask(Started, nil)
		if j := s.Status().Jobs[0]; !j.Running() || j.Waiting {
			t.Errorf("status %+v", j)
		}
		if err := s.TriggerIdle("a", ""); !errors.Is(err, ErrBusy) {
			t.Errorf("TriggerIdle while one runs: %v", err)
		}
		ask(Waiting, nil)
		if j := s.Status().Jobs[0]; !j.Running() || !j.Waiting {
			t.Errorf("status %+v", j)
		}
		ask("", ErrBusy)
		time.Sleep(70*time.Minute - 1)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		var got []time.Duration
		for _, at := range f.starts() {
			got = append(got, at.Sub(begin))
		}
		// At 60 min as scheduled all the same.
		if want := []time.Duration{20 * time.Minute, 30 * time.Minute, time.Hour}; !equal(got, want) {
			t.Errorf("runs after %v, not %v", got, want)
		}
	})
}

// A requested run counts for the runs that are due when it begins.
func TestTriggerCoversWhatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{t: t, last: begin, takes: func(int) time.Duration { return time.Minute }}
		s := New(Options{}, []Job{f.job("a", "@hourly", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s.Trigger("a") // in the very moment at which one is due
		time.Sleep(30 * time.Minute)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(f.starts()); n > 2 {
			t.Errorf("%d runs", n)
		}
	})
}

// A trigger does not wait for the backoff.
func TestTriggerWhileFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, comes: func(n int) error {
			if n < 14 {
				return errBroken
			}
			return nil
		}}
		s := New(Options{}, []Job{f.job("a", "@yearly", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for len(f.starts()) < 14 {
			time.Sleep(time.Minute)
		}
		before := time.Now()
		if _, err := s.Trigger("a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if starts := f.starts(); len(starts) != 15 || !starts[14].Equal(before) || s.Status().Jobs[0].FailuresInRow != 0 {
			t.Errorf("runs at %v", starts)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A task of an archive can be run by itself, without the archive's snapshots.
func TestTriggerTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		snapshots, prunes := &fake{t: t, last: time.Now()}, &fake{t: t, last: time.Now()}
		prune := prunes.job("a", "@yearly", time.UTC)
		prune.Task = "prune"
		s := New(Options{}, []Job{snapshots.job("a", "@yearly", time.UTC), prune})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, err := s.TriggerTask("a", "prune"); got != Started || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := s.TriggerTask("a", "drill"); !errors.Is(err, ErrNoJob) || !strings.Contains(err.Error(), "a+drill") {
			t.Errorf("a task that does not exist: %v", err)
		}
		synctest.Wait()
		if n, m := len(snapshots.starts()), len(prunes.starts()); n != 0 || m != 1 {
			t.Errorf("%d snapshots and %d prunes", n, m)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A run that was asked for is not lost when a reload stops it, or comes before it begins. Otherwise an archive that is
// due only on request never has the snapshot that an operator was promised.
func TestARequestSurvivesAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, last: time.Now(), takes: func(int) time.Duration { return time.Hour }}
		version := func(v string) []Job {
			j := f.job("a", "@yearly", time.UTC)
			j.Version, j.OnDemand = v, true
			return []Job{j}
		}
		s := New(Options{}, version("1"))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		runs := func(want int, when string) {
			t.Helper()
			synctest.Wait()
			if n := len(f.starts()); n != want {
				t.Errorf("%d runs %s, not %d", n, when, want)
			}
		}
		if _, err := s.Trigger("a"); err != nil {
			t.Fatal(err)
		}
		runs(1, "after the request")
		s.Set(version("2"))
		runs(2, "after a reload during the run")
		s.Set(version("3"))
		runs(3, "after another")
		time.Sleep(90 * time.Minute) // this one succeeds
		s.Set(version("4"))
		runs(3, "after a reload when nothing is asked for")
		if _, err := s.Trigger("a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.Set(nil)
		synctest.Wait()
		s.Set(version("5"))
		time.Sleep(time.Hour)
		runs(4, "after the archive was removed, and added again")
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Started is called when requests are taken: a service reports that it is ready by that.
func TestStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, last: time.Now()}
		var s *Service
		var failed error
		s = New(Options{Started: func() { _, failed = s.Trigger("a") }}, []Job{f.job("a", "@yearly", time.UTC)})
		if err := s.Start(t.Context()); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		synctest.Wait()
		if n := len(f.starts()); n != 1 {
			t.Errorf("%d runs", n)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A task that is due only on request runs once for a request. Its failure stays shown; nothing tries again by itself,
// not after a restart or a change of the clock either, and nothing is overdue.
func TestATaskOnDemandRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &fake{t: t, comes: func(n int) error {
			if n < 2 {
				return errBroken
			}
			return nil
		}}
		job := f.job("a", "@hourly", time.UTC)
		job.OnDemand, job.Task, job.Last = true, "drill", nil
		var ahead atomic.Int64
		o := Options{Dir: dir, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
		s := New(o, []Job{job})
		start := func() {
			t.Helper()
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		check := func(when string, runs int, inRow int64) {
			t.Helper()
			j := s.Status().Jobs[0]
			if n := len(f.starts()); n != runs || j.FailuresInRow != inRow || j.Overdue(o.Now()) || !j.Next.IsZero() {
				t.Errorf("%s: %d runs, %+v", when, n, j)
			}
		}
		request := func() {
			t.Helper()
			if _, err := s.TriggerTask("a", "drill"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		start()
		request()
		check("a day after a request", 1, 1)
		ahead.Store(int64(-12 * time.Hour))
		time.Sleep(time.Hour)
		check("after the clock was set back", 1, 1)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s = New(o, []Job{job})
		start()
		time.Sleep(time.Hour)
		check("after a restart", 1, 1)
		request()
		check("after another request", 2, 2)
		request()
		check("after a success", 3, 0)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}
