package daemon

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/service/web"
)

// A pause holds over a restart and a reload. Until it ends no run begins, and nothing counts as overdue.
func TestPauseOutlivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const hourly = demand + "    schedule: \"@hourly\"\n"
		g := &guardedBackup{}
		d, stop := guardedDaemon(t, dir, hourly, g)
		if n := g.runs(); n != 1 {
			t.Fatalf("%d runs at the start", n)
		}
		want := web.Pause{Since: time.Now().Round(0), By: "a test", Reason: "a reason"}
		if got, err := d.Pause("orders", web.Pause{By: "a test", Reason: "a reason"}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		time.Sleep(time.Hour)
		if got, err := d.Pause("orders", web.Pause{By: "another"}); err != nil || got != want {
			t.Errorf("the second pause is %+v, %v", got, err)
		}
		stop()
		d, stop = guardedDaemon(t, dir, hourly, g)
		defer stop()
		d.Set(load(t, hourly))
		time.Sleep(5 * time.Hour)
		a := d.Archives()[0]
		if a.Paused.By != want.By || !a.Paused.Since.Equal(want.Since) || a.State() != web.StatePaused || a.Overdue || !a.NextRun.IsZero() {
			t.Errorf("after the restart: %+v", a)
		}
		for _, task := range []string{web.TaskBackup, web.TaskVerify, web.TaskPrune} {
			if _, err := d.Trigger("orders", task); !errors.Is(err, web.ErrPaused) {
				t.Errorf("a request for %s: %v", task, err)
			}
		}
		d.TriggerAll()
		synctest.Wait()
		if n := g.runs(); n != 1 {
			t.Errorf("%d runs", n)
		}
		if err := d.Resume("orders"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := g.runs(); n != 2 || d.Archives()[0].State() == web.StatePaused {
			t.Errorf("after the pause: %d runs, %s", n, d.Archives()[0].State())
		}
		stop()
		d, stop = guardedDaemon(t, dir, hourly, g)
		defer stop()
		if !d.Archives()[0].Paused.Since.IsZero() {
			t.Error("the end of the pause is lost")
		}
	})
}

// A task can be requested without a schedule. What the configuration has no section for is refused with the reason.
func TestTasksOnDemand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, stop := guardedDaemon(t, "", demand, &guardedBackup{})
		defer stop()
		for task, want := range map[string]error{web.TaskVerify: nil, web.TaskPrune: nil, web.TaskDrill: web.ErrNoTask} {
			if _, err := d.Trigger("orders", task); !errors.Is(err, want) {
				t.Errorf("%s: %v", task, err)
			}
			if _, err := d.Trigger("none", task); !errors.Is(err, web.ErrNotFound) {
				t.Errorf("%s of no archive: %v", task, err)
			}
		}
		synctest.Wait()
		for _, task := range d.Archives()[0].Tasks {
			if task.Done != 1 || task.Overdue {
				t.Errorf("%+v", task)
			}
		}
		if _, err := d.Pause("none", web.Pause{}); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("a pause of no archive: %v", err)
		}
		if err := d.Resume("none"); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("a resume of no archive: %v", err)
		}
	})
}

// Reloads, pauses and the page use the state of the archives at the same time, and none waits for another forever.
func TestPauseDuringReloadsAndRequests(t *testing.T) {
	t.Parallel()
	d := New(load(t, demand), Options{})
	c := load(t, demand)
	end := time.Now().Add(2 * time.Second)
	var work sync.WaitGroup
	for _, one := range []func(){
		func() { d.Set(c) },
		func() {
			if _, err := d.Pause("orders", web.Pause{By: "a test"}); err != nil {
				t.Error(err)
			}
			if err := d.Resume("orders"); err != nil {
				t.Error(err)
			}
		},
		func() { d.Archives() },
		func() { d.Archives() },
	} {
		work.Go(func() {
			for time.Now().Before(end) {
				one()
			}
		})
	}
	ended := make(chan struct{})
	go func() { defer close(ended); work.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("reloads, pauses and the page wait for each other")
	}
}

// A request for runs of all archives, as by SIGUSR1, also holds for an archive with a run in progress: the run that
// follows archives what the present one missed.
func TestTriggerAllDuringARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{takes: time.Hour}
		d, stop := guardedDaemon(t, "", demand, g)
		defer stop()
		d.TriggerAll()
		time.Sleep(time.Minute)
		d.TriggerAll()
		d.TriggerAll() // one waits already
		time.Sleep(5 * time.Hour)
		if n := g.runs(); n != 2 {
			t.Errorf("%d runs", n)
		}
		if _, err := d.Pause("orders", web.Pause{By: "a test"}); err != nil {
			t.Fatal(err)
		}
		d.TriggerAll()
		if err := d.Resume("orders"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		if n := g.runs(); n != 2 {
			t.Errorf("a request during a pause: %d runs", n)
		}
	})
}
