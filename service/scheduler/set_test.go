package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// An unchanged job goes on running; a changed one starts again, and never beside itself.
func TestSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		long := func(int) time.Duration { return 10 * time.Hour }
		same, other, gone, added := &fake{t: t, takes: long}, &fake{t: t, takes: long}, &fake{t: t, takes: long}, &fake{t: t}
		jobs := []Job{same.job("same", "@daily", time.UTC), other.job("other", "@daily", time.UTC), gone.job("gone", "@daily", time.UTC)}
		s := New(Options{}, jobs)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		changed := other.job("other", "@daily", time.UTC)
		changed.Version = "2"
		s.Set([]Job{added.job("added", "@daily", time.UTC), jobs[0], changed})
		synctest.Wait()
		if n := len(same.starts()); n != 1 || !same.busy {
			t.Errorf("what stayed the same was run %d times", n)
		}
		if n := len(other.starts()); n != 2 || !other.busy { // the fake would report an overlap
			t.Errorf("what changed was run %d times", n)
		}
		if gone.busy || len(added.starts()) != 1 {
			t.Error("what is gone runs, or what was added does not")
		}
		var names []string
		for _, j := range s.Status().Jobs {
			names = append(names, j.Name)
		}
		if !equal(names, []string{"added", "same", "other"}) {
			t.Errorf("the jobs are %v", names)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// A run that does not end when it is cancelled holds up its own successor, and no other, also when
// its job was removed in between.
func TestSetWhileHanging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		bad, good := &fake{t: t, during: func() { <-release }}, &fake{t: t}
		s := New(Options{}, []Job{bad.job("bad", "@daily", time.UTC), good.job("good", "@hourly", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s.Set([]Job{good.job("good", "@hourly", time.UTC)})
		synctest.Wait()
		again := bad.job("bad", "@daily", time.UTC)
		s.Set([]Job{again, good.job("good", "@hourly", time.UTC)})
		time.Sleep(24*time.Hour - 1)
		if n := len(bad.starts()); n != 1 {
			t.Errorf("the hanging job was run %d times", n)
		}
		if n := len(good.starts()); n != 25 {
			t.Errorf("the other job was run %d times", n)
		}
		close(release)
		synctest.Wait()
		if n := len(bad.starts()); n != 2 {
			t.Errorf("after its end the hanging job was run %d times", n)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// A poll that hangs, for example at a source that is gone for good, does not hold up the job that a
// reload puts in its place. The resources of the old job stay open until it ends.
func TestSetWhileALookHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		f, retired := &fake{t: t, last: time.Now()}, false
		j := f.job("a", "@hourly", time.UTC)
		j.Look = func(context.Context) (Pending, error) { <-answers; return Pending{Files: 7}, nil }
		j.Retired = func() { retired = true }
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.Set([]Job{{Name: "a", Version: "2", Schedule: j.Schedule, Run: f.run, Last: j.Last}})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := len(f.starts()); n != 2 || retired {
			t.Errorf("%d runs in two hours; what the old job uses is let go: %v", n, retired)
		}
		close(answers)
		synctest.Wait()
		if st := s.Status().Jobs[0]; !retired || st.Ahead.Files != 0 {
			t.Errorf("afterwards: %v, %+v", retired, st)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// Jobs may be set at any time; they run after the next start.
func TestSetWhileStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{t: t}, &fake{t: t}
		s := New(Options{}, []Job{a.job("a", "@daily", time.UTC)})
		s.Set([]Job{b.job("b", "@daily", time.UTC)})
		for range 2 {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if len(a.starts()) != 0 || len(b.starts()) != 2 {
			t.Errorf("runs: %v, %v", a.starts(), b.starts())
		}
	})
}

func TestRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, takes: func(int) time.Duration { return time.Second }, comes: func(n int) error {
			if n == 60 {
				return errBroken
			}
			return nil
		}}
		var ended int
		s := New(Options{Dir: dir, Ended: func(JobStatus) { ended++ }}, []Job{f.job("a", "* * * * *", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 1500*time.Millisecond)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		was := s.Status().Jobs[0]
		if len(was.History) != 48 || was.FailuresInRow != 1 || ended != 61 || was.Total.Failed != 1 {
			t.Fatalf("status %+v after %d runs", was, ended)
		}
		g := &fake{t: t, last: time.Now(), takes: f.takes}
		s = New(Options{Dir: dir}, []Job{g.job("a", "* * * * *", time.UTC)})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second / 2) // what had failed is tried at once
		synctest.Wait()
		j := s.Status().Jobs[0]
		if j.FailuresInRow != 1 || j.LastError != was.LastError || j.Total != was.Total || len(j.History) != 48 || !j.Running() {
			t.Errorf("after a restart: %+v", j)
		}
		if j.Last.Error != was.Last.Error || !j.Last.Start.Equal(was.Last.Start) || j.Last.Outcome != Failed {
			t.Errorf("after a restart the last run is %+v, not %+v", j.Last, was.Last)
		}
		time.Sleep(time.Second)
		if j := s.Status().Jobs[0]; j.FailuresInRow != 0 || j.Total.Made != was.Total.Made+1 || j.Total.Milliseconds != 62_000 {
			t.Errorf("after the next run: %+v", j)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Retired may use the service: Set holds no lock of it then. Otherwise Retired, which takes a lock of its own, and a
// caller that holds that lock would wait for each other.
func TestRetiredMayUseTheService(t *testing.T) {
	t.Parallel()
	s := New(Options{}, nil)
	calls := 0
	job := func(version string) []Job {
		j := (&fake{t: t}).job("a", "@hourly", time.UTC)
		j.Version = version
		j.Retired = func() {
			s.Pause("a")
			s.Status()
			calls++
		}
		return []Job{j}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Set(job("1"))
		s.Set(job("1")) // the new job is dropped
		s.Set(job("2")) // the old job is replaced
		s.Set(nil)      // and removed
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("Retired waits for the service, which waits for Retired")
	}
	if calls != 3 {
		t.Errorf("Retired was called %d times", calls)
	}
}
