package scheduler

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// crowd is the runs of many jobs.
type crowd struct {
	mu        sync.Mutex
	now, most int
	order     []string
}

func (c *crowd) jobs(t *testing.T, n int, takes time.Duration) []Job {
	t.Helper()
	hourly, err := ParseSchedule("@hourly", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	jobs := make([]Job, n)
	for i := range jobs {
		name := fmt.Sprint(i)
		jobs[i] = Job{
			Name: name, Schedule: hourly,
			Last: func(context.Context) (time.Time, error) { return begin, nil },
			Run: func(ctx context.Context) (Result, error) {
				c.mu.Lock()
				c.now++
				c.most = max(c.most, c.now)
				c.order = append(c.order, name)
				c.mu.Unlock()
				select {
				case <-time.After(takes):
				case <-ctx.Done():
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				c.now--
				return Result{}, ctx.Err()
			},
		}
	}
	return jobs
}

// Two thousand schedules with the same moment do not begin two thousand runs: a host has neither the memory nor the
// descriptors. Each gets its turn, and the status shows that the others wait.
func TestRunsOfTheSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		jobs := 2000
		if soaktest.Racing {
			jobs = 200
		}
		s := New(Options{Most: 8}, c.jobs(t, jobs, time.Second))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 500*time.Millisecond - time.Duration(time.Now().UnixNano())%time.Hour)
		running, waiting := 0, 0
		for _, j := range s.Status().Jobs {
			if j.Running() {
				running++
			}
			if j.Waiting && !j.Running() {
				waiting++
			}
		}
		if running != 8 || waiting != jobs-8 {
			t.Errorf("%d run and %d wait", running, waiting)
		}
		time.Sleep(time.Duration(jobs/8)*time.Second + time.Second)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if len(c.order) != jobs || c.most != 8 {
			t.Errorf("%d runs, %d at a time", len(c.order), c.most)
		}
	})
}

// An operator's request does not wait for thousands of scheduled runs, only for a turn.
func TestARequestComesNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		s := New(Options{Most: 2}, c.jobs(t, 100, time.Second))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 500*time.Millisecond - time.Duration(time.Now().UnixNano())%time.Hour)
		c.mu.Lock()
		began := map[string]bool{}
		for _, name := range c.order {
			began[name] = true
		}
		c.mu.Unlock()
		name := "99"
		for n := 99; began[name]; n-- {
			name = fmt.Sprint(n)
		}
		if got, err := s.Trigger(name); got != Waiting || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.order) != 4 || c.order[2] != name && c.order[3] != name {
			t.Errorf("%s was requested, and the runs are of %v", name, c.order)
		}
	})
}

// Runs that hang, or that take hours, keep the others waiting for less than a minute. A stop does not wait for a turn.
func TestLongRunsGiveUpTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		s := New(Options{Most: 1}, c.jobs(t, 5, 10*time.Hour))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 90*time.Second + time.Millisecond - time.Duration(time.Now().UnixNano())%time.Hour)
		c.mu.Lock()
		if c.now != 4 {
			t.Errorf("after 90 seconds %d run", c.now)
		}
		c.mu.Unlock()
		start := time.Now()
		if err := s.Stop(); err != nil || time.Since(start) > time.Second {
			t.Errorf("the stop took %v: %v", time.Since(start), err)
		}
		if len(c.order) != 4 {
			t.Errorf("after the stop: %v", c.order)
		}
	})
}
