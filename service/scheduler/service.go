// Package scheduler runs jobs on schedule, such as making snapshots. It does not depend on archives: a Job is a
// name, a schedule and a few functions.
//
//	schedule, err := scheduler.ParseSchedule("*/15 * * * *", time.UTC)
//	s := scheduler.New(scheduler.Options{Log: log}, []scheduler.Job{{
//		Name:     "orders",
//		Schedule: schedule,
//		Run:      backup,
//		Last:     newest,
//	}})
//	err = s.Run(ctx) // until ctx ends
//
// Each job has its own goroutine, so a hanging job does not delay another for long, and a job never overlaps with
// itself. If a job becomes due while it runs, one run follows. The first run begins at once if the newest snapshot is
// older than the schedule allows. A failed run is retried after 1 s, then 2 s, 4 s, up to an hour, and in any case at
// the next scheduled time; only a task that runs on demand is not. Trigger starts a run at once, or right after the
// present run; at most one run waits.
//
// # Time
//
// Schedules follow the wall clock, which can be set, and which continues while the host is suspended. Go's timers
// follow the monotonic clock, which does neither: on a laptop that slept at noon, a timer set for the evening fires
// hours late. So no sleep is longer than a minute before the wall clock is read again; timetable handles its jumps.
// Daylight saving time is handled by the schedule, which has a time zone; all comparisons are between instants.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/service/statefile"
)

// Grace is how long Stop waits for runs after their context has ended. The program has 10 seconds in total and
// needs the rest afterwards.
const Grace = 9 * time.Second

// flushTimeout is the time within which the status of the last runs must be written after a stop, and leastFlush the
// part of it that remains if the runs needed all of Grace.
const (
	flushTimeout = 2 * time.Second
	leastFlush   = 100 * time.Millisecond
)

// The errors of a Service, for errors.Is.
var (
	// ErrRunning means that the service is already running, or that runs from before its last stop have not ended:
	// a start would let jobs overlap with themselves.
	ErrRunning = errors.New("the service is already running")
	// ErrStopTimeout means that runs did not end within Grace after a stop. They keep running.
	ErrStopTimeout = errors.New("some runs do not end")
	// ErrStopped means that the service is not running, so it takes no requests.
	ErrStopped = errors.New("the service is not running")
	// ErrNoJob means that there is no job of that name.
	ErrNoJob = errors.New("there is no such job")
	// ErrBusy means that a run is in progress, or that a requested run has not begun yet.
	ErrBusy = errors.New("a run is in progress or waiting")
)

// Options are common to all jobs. The zero value is ready for use.
type Options struct {
	Log   *slog.Logger     // receives a line for each run; nil disables logging
	Dir   string           // the directory of the jobs' state files; empty disables state across restarts
	Ended func(JobStatus)  // called by the job's goroutine after each run that was not stopped; may be nil
	Now   func() time.Time // the wall clock; nil selects time.Now

	// Most is how many snapshots, and how many runs of tasks, begin at a time. Others wait until one has ended, or has
	// taken half a minute: first those that were requested, then those that have waited longest. It is no bound for runs
	// that take longer. 0 sets no bound.
	Most int

	// Started is called once the service takes requests for runs. It may be nil.
	Started func()
}

// wall returns the wall clock's time without the monotonic clock's, so that differences are those of the wall
// clock, too.
func (o *Options) wall() time.Time { return o.Now().Round(0) }

// Service runs jobs on schedule. It can be started and stopped any number of times. Its
// methods are safe for concurrent use.
type Service struct {
	o     Options
	state *statefile.Dir

	snapshots, tasks *turns

	mu      sync.Mutex
	runners []*runner
	retired []*runner // being stopped, and maybe not ended yet
	gates   map[string]*gate

	ctx     context.Context //nolint:containedctx // of the current start
	cancel  context.CancelFunc
	all     *sync.WaitGroup // the goroutines of the current start
	done    chan struct{}   // closed when all of them have ended; nil before the first start
	started time.Time
}

// New returns a service for jobs with different names. It does nothing before it is
// started.
func New(o Options, jobs []Job) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{
		o: o, state: statefile.NewDir(o.Dir, o.Log), snapshots: newTurns(o.Most), tasks: newTurns(o.Most),
		gates: map[string]*gate{},
	}
	s.Set(jobs)
	return s
}

// Set replaces the jobs. A job with the same name and version as before continues. Any other old job is stopped. A
// new job with the name of an old one takes over its status, and begins after the old one has ended.
func (s *Service) Set(jobs []Job) {
	for _, retired := range s.set(jobs) {
		retired() // without s.mu: it may wait for what uses the service
	}
}

// set is Set. It returns the functions Retired of the jobs whose functions will not be called any more.
func (s *Service) set(jobs []Job) (unused []func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := make(map[string]*runner, len(s.runners))
	for _, r := range s.runners {
		old[r.job.key()] = r
	}
	next := make([]*runner, 0, len(jobs))
	for _, j := range jobs {
		was := old[j.key()]
		delete(old, j.key())
		if was != nil && was.job.Version == j.Version {
			next = append(next, was)
			if j.Retired != nil {
				unused = append(unused, j.Retired) // the old job stays, so the new job's functions are never called
			}
			continue
		}
		r := newRunner(&s.o, s.state, j, s.gateLocked(j.Name))
		r.turns = s.snapshots
		if j.Task != "" {
			r.turns = s.tasks
		}
		if was != nil {
			r.record = was.record
			unused = append(unused, s.retire(was)...)
		}
		next = append(next, r)
		if s.alive() {
			s.launch(r)
		}
	}
	for _, r := range s.runners {
		if old[r.job.key()] == r {
			unused = append(unused, s.retire(r)...)
		}
	}
	s.runners = next
	return unused
}

// retire stops a runner, with mu held. If none of its goroutines runs, it returns the job's function Retired.
func (s *Service) retire(r *runner) (unused []func()) {
	s.retired = slices.DeleteFunc(s.retired, func(r *runner) bool { return !r.busy() })
	switch {
	case r.busy():
		r.retired.Store(true)
		r.cancel()
		s.retired = append(s.retired, r)
	case r.job.Retired != nil:
		unused = append(unused, r.job.Retired)
	}
	return unused
}

// alive reports whether goroutines may be added.
func (s *Service) alive() bool { return s.ctx != nil && s.ctx.Err() == nil }

// launch starts a runner after the runs of its predecessors have ended. A hanging poll of a predecessor may
// continue: the new runner may have another source.
func (s *Service) launch(r *runner) {
	ctx, cancel := context.WithCancel(s.ctx)
	r.cancel, r.ran, r.done = cancel, make(chan struct{}), make(chan struct{})
	var before []<-chan struct{}
	for _, old := range s.retired {
		if old.job.key() == r.job.key() {
			before = append(before, old.ran)
		}
	}
	s.all.Go(func() {
		for _, done := range before {
			<-done
		}
		r.run(ctx)
		if r.retired.Load() && r.job.Retired != nil {
			r.job.Retired()
		}
	})
}

// Run starts the service and returns after ctx ended or Stop was called. It returns nil when all runs have ended,
// or ErrStopTimeout after Grace.
func (s *Service) Run(ctx context.Context) error {
	stopped, done, err := s.start(ctx)
	if err != nil {
		return err
	}
	if s.o.Started != nil {
		s.o.Started()
	}
	<-stopped.Done()
	return s.wait(done)
}

// Start starts the service in the background, until ctx ends or Stop is called. It returns
// ErrRunning if it is already running.
func (s *Service) Start(ctx context.Context) error {
	_, _, err := s.start(ctx)
	if err == nil && s.o.Started != nil {
		s.o.Started()
	}
	return err
}

// start returns a context that ends with the service, and a channel that is closed after it.
func (s *Service) start(ctx context.Context) (context.Context, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() {
		return nil, nil, ErrRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	s.ctx, s.cancel, s.all, s.done, s.started = ctx, cancel, &sync.WaitGroup{}, done, s.o.wall()
	s.o.Log.Info("the service has started", "jobs", len(s.runners))
	for _, r := range s.runners {
		s.launch(r)
	}
	go func() {
		<-ctx.Done() // also without jobs
		stopped := time.Now()
		s.mu.Lock()
		all := s.all // complete: alive is false
		s.mu.Unlock()
		all.Wait()
		s.flush(stopped.Add(Grace - leastFlush))
		s.o.Log.Info("the service has stopped")
		close(done)
	}()
	return ctx, done, nil
}

// flush waits until the status of the last runs is written, but not much longer than until a time.
func (s *Service) flush(until time.Time) {
	limit := min(flushTimeout, max(time.Until(until), leastFlush))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.state.Flush(ctx); err != nil {
		s.o.Log.Warn("the status of the last runs is not saved; it is lost at a restart", "error", err)
	}
}

// Stop ends the context of all runs and waits for them. After Grace it returns ErrStopTimeout with the names of the
// jobs that still run. It returns nil if the service was never started.
func (s *Service) Stop() error {
	s.mu.Lock()
	cancel, done := s.cancel, s.done
	s.mu.Unlock()
	if done == nil {
		return nil
	}
	cancel()
	return s.wait(done)
}

func (s *Service) wait(done <-chan struct{}) error {
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, r := range slices.Concat(s.runners, s.retired) {
		if r.busy() && !slices.Contains(names, r.job.key()) {
			names = append(names, r.job.key())
		}
	}
	return fmt.Errorf("stopping: %w after %v: %s", ErrStopTimeout, Grace, strings.Join(names, ", "))
}

// busy reports whether the runner was started and has not ended.
func (r *runner) busy() bool {
	if r.done == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// Running reports whether the service was started and has not ended. After Stop returned
// ErrStopTimeout it is still running, until the last run ends.
func (s *Service) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running()
}

// running is Running, with mu held.
func (s *Service) running() bool {
	if s.done == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}
