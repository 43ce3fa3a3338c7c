package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// trouble is a random sequence of events for a job: failures, runs that take longer than the
// schedule has room for, requests, reloads, and a wall clock that is set.
type trouble struct {
	last   time.Duration // ago; 0: no snapshot
	lasts  time.Duration // all of it
	takes  []time.Duration
	fails  []bool
	events []event
	expr   string
}

// event is something that happens between or during runs.
type event struct {
	at   time.Duration // since the begin
	kind string        // ask, jump, reload (of something else), same (a reload that changes nothing)
	by   time.Duration // of a jump
	expr string        // the schedule after a reload
}

func cronExprs() []string {
	return []string{"* * * * *", "*/5 * * * *", "7,9,40 * * * *", "0 * * * *", "30 2 * * *"}
}

func drawTrouble(t *rapid.T) trouble {
	duration := func(label string, most int, units ...time.Duration) time.Duration {
		return rapid.SampledFrom(units).Draw(t, label+" unit") * time.Duration(rapid.IntRange(0, most).Draw(t, label))
	}
	x := trouble{
		expr:  rapid.SampledFrom(cronExprs()).Draw(t, "schedule"),
		last:  duration("last", 90, time.Second, time.Minute, time.Hour),
		lasts: time.Minute + duration("lasts", 50, time.Second, time.Minute, 10*time.Minute),
	}
	for range rapid.IntRange(1, 6).Draw(t, "outcomes") { // over and over
		x.takes = append(x.takes, duration("takes", 4, 0, time.Second, time.Minute, 20*time.Minute))
		x.fails = append(x.fails, rapid.Bool().Draw(t, "fails"))
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "events") {
		e := event{
			at:   time.Duration(rapid.Int64Range(1, int64(x.lasts/time.Millisecond)-1).Draw(t, "at"))*time.Millisecond + time.Duration(i+1), // no two at once
			kind: rapid.SampledFrom([]string{"ask", "jump", "jump", "reload", "same"}).Draw(t, "kind"),
			expr: rapid.SampledFrom(cronExprs()).Draw(t, "other schedule"),
		}
		if e.kind == "jump" {
			e.by = duration("by", 40, time.Second, time.Minute, time.Hour)
			if rapid.Bool().Draw(t, "back") {
				e.by = -e.by
			}
		}
		x.events = append(x.events, e)
	}
	return x
}

// happened is one line of the record that the model reads. Times are those of the bubble, which
// always go forward; wall is the wall clock's time then.
type happened struct {
	at, wall time.Time
	kind     string // begin, good, bad, stopped, ask, jump, reload; first and last: start, end
	by       time.Duration
	schedule Schedule // after start and reload
	newest   time.Time
}

// play lets it happen.
func (x *trouble) play(t *testing.T) (log []happened) {
	synctest.Test(t, func(t *testing.T) {
		p := &play{trouble: x, t: t, begin: time.Now()}
		if x.last > 0 {
			p.newest = p.begin.Add(-x.last)
		}
		job := p.job(x.expr)
		s := New(Options{Now: p.wall}, []Job{job})
		p.note(happened{kind: "start", schedule: job.Schedule, newest: p.newest})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, e := range x.events {
			all.Go(func() { time.Sleep(e.at); p.happen(s, &e) })
		}
		time.Sleep(x.lasts)
		p.note(happened{kind: "end"})
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		all.Wait()
		log = p.log
	})
	return log
}

// play is one sequence while it happens.
type play struct {
	*trouble
	t      *testing.T
	begin  time.Time
	offset atomic.Int64

	mu      sync.Mutex
	log     []happened
	newest  time.Time // when the newest snapshot was made
	runs    int
	busy    bool
	current Job
}

func (p *play) wall() time.Time { return time.Now().Add(time.Duration(p.offset.Load())) }

func (p *play) note(h happened) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.at, h.wall = time.Now(), p.wall()
	p.log = append(p.log, h)
}

func (p *play) happen(s *Service, e *event) {
	p.mu.Lock()
	job := p.current
	p.mu.Unlock()
	switch e.kind {
	case "ask":
		p.note(happened{kind: "ask"})
		if _, err := s.Trigger("a"); err != nil && !errors.Is(err, ErrBusy) {
			p.t.Error(err)
		}
	case "jump":
		p.offset.Add(int64(e.by))
		p.note(happened{kind: "jump", by: e.by})
	case "same":
		s.Set([]Job{job})
	case "reload":
		next := p.job(e.expr)
		p.mu.Lock()
		newest := p.newest
		p.mu.Unlock()
		p.note(happened{kind: "reload", schedule: next.Schedule, newest: newest})
		s.Set([]Job{next})
	}
}

func (p *play) job(expr string) Job {
	schedule, err := ParseSchedule(expr, time.UTC)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = Job{
		Name: "a", Schedule: schedule, Version: fmt.Sprint(expr, len(p.log)), Run: p.run,
		Last: func(context.Context) (time.Time, error) { p.mu.Lock(); defer p.mu.Unlock(); return p.newest, nil },
	}
	return p.current
}

func (p *play) run(ctx context.Context) (Result, error) {
	p.note(happened{kind: "begin"})
	p.mu.Lock()
	if p.busy {
		p.t.Error("two runs at once")
	}
	p.busy = true
	n := p.runs
	p.runs++
	p.mu.Unlock()
	made := p.wall().Round(0)
	pause(ctx, p.takes[n%len(p.takes)], nil, nil)
	p.mu.Lock()
	p.busy = false
	good := ctx.Err() == nil && !p.fails[n%len(p.fails)]
	if good {
		p.newest = made
	}
	p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		p.note(happened{kind: "stopped"})
		return Result{}, ctx.Err()
	case good:
		p.note(happened{kind: "good"})
		return Result{Snapshot: int64(n + 1)}, nil
	}
	p.note(happened{kind: "bad"})
	return Result{}, errBroken
}
