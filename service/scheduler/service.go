// Package scheduler runs jobs on schedule, such as making snapshots. It has no code of
// archives: a Job is a name, a schedule and a few functions.
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
// Each job has a goroutine of its own, so that one that hangs never holds up another,
// and no job ever overlaps with itself. What becomes due while a job runs is made up for
// by one run right after it. The first run comes at once when the newest snapshot is
// older than it should be. What fails is tried again after a second, then two, four, up
// to an hour, and in any case when it is due the next time. Trigger has a run begin at
// once, or, when one goes on, right after it; one that waits is not queued behind another.
//
// # Time
//
// When a job is due is a matter of the wall clock, which can be set, and which goes on
// while the host is suspended. Go's timers follow the monotonic clock, which does neither:
// a timer set for tonight would ring hours late on a laptop that slept at noon. So nobody
// here sleeps for longer than a minute before reading the wall clock again (agenda says
// what is then made of it). Daylight saving time is a matter of the schedule, which knows
// its time zone; all that is compared is instants.
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
)

// Grace is how long Stop waits for runs that were told to end. The program, which has ten
// seconds in all, needs a little of them afterwards.
const Grace = 9 * time.Second

// What a Service reports; test with errors.Is.
var (
	// ErrRunning: the service was started already, or runs from before its last stop
	// have not ended; starting would let jobs overlap with themselves.
	ErrRunning = errors.New("the service runs already")
	// ErrStopTimeout: runs did not end although they were told to. They are left behind.
	ErrStopTimeout = errors.New("some runs do not end")
	// ErrStopped: nothing can be asked of a service that does not run.
	ErrStopped = errors.New("the service does not run")
	// ErrNoJob: there is no job of that name.
	ErrNoJob = errors.New("there is no such job")
	// ErrBusy: a run goes on, or one that was asked for has not begun yet.
	ErrBusy = errors.New("a run goes on or waits already")
)

// TriggerResult is what came of asking for a run.
type TriggerResult string

// A run begins at once, or as soon as the one that goes on has ended.
const (
	Started TriggerResult = "started"
	Waiting TriggerResult = "waiting"
)

// Options is what all jobs share. The zero value is ready for use.
type Options struct {
	Log   *slog.Logger     // a line for each run; nil: nothing is logged
	Dir   string           // where jobs remember what they did across restarts; empty: they do not
	Ended func(JobStatus)  // called after each run that was not stopped, by the job's goroutine, which waits for it; may be nil
	Now   func() time.Time // the wall clock; nil: time.Now
}

// wall returns the time by the wall clock alone, so that differences are those of the
// wall clock, too.
func (o *Options) wall() time.Time { return o.Now().Round(0) }

// Service runs jobs on schedule. It can be started and stopped any number of times. Its
// methods are safe for concurrent use.
type Service struct {
	o Options

	mu      sync.Mutex
	runners []*runner
	retired []*runner // told to end, and not known to have done so

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
	s := &Service{o: o}
	s.Set(jobs)
	return s
}

// Set replaces the jobs. One that has the same name and version as before is not touched.
// One that is another, or is not there any more, is told to end; the new one of that name
// knows what the old one did, and begins when that has ended.
func (s *Service) Set(jobs []Job) {
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
				j.Retired() // nothing of it will be called: the one before stays
			}
			continue
		}
		r := newRunner(&s.o, j)
		if was != nil {
			r.record = was.record
			s.retire(was)
		}
		next = append(next, r)
		if s.alive() {
			s.launch(r)
		}
	}
	for _, r := range s.runners {
		if old[r.job.key()] == r {
			s.retire(r)
		}
	}
	s.runners = next
}

// retire tells a runner to end.
func (s *Service) retire(r *runner) {
	s.retired = slices.DeleteFunc(s.retired, func(r *runner) bool { return !r.busy() })
	switch {
	case r.busy():
		r.retired.Store(true)
		r.cancel()
		s.retired = append(s.retired, r)
	case r.job.Retired != nil:
		r.job.Retired()
	}
}

// alive reports whether goroutines may be added.
func (s *Service) alive() bool { return s.ctx != nil && s.ctx.Err() == nil }

// launch starts a runner once the runs of those have ended that had its job before. A look
// that hangs may go on: the new one may have another source.
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

// Run starts the service and returns when it was stopped: after ctx ended or Stop was
// called. It returns nil when all runs have ended, else ErrStopTimeout, after Grace.
func (s *Service) Run(ctx context.Context) error {
	stopped, done, err := s.start(ctx)
	if err != nil {
		return err
	}
	<-stopped.Done()
	return s.wait(done)
}

// Start starts the service in the background, until ctx ends or Stop is called. It returns
// ErrRunning when it runs already.
func (s *Service) Start(ctx context.Context) error {
	_, _, err := s.start(ctx)
	return err
}

// start returns a context that ends with the service, and what is closed after it.
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
		<-ctx.Done() // also when there is nothing to do
		s.mu.Lock()
		all := s.all // nobody adds to it any more
		s.mu.Unlock()
		all.Wait()
		s.o.Log.Info("the service has stopped")
		close(done)
	}()
	return ctx, done, nil
}

// Trigger has a run of an archive's job without a task begin, now or as soon as the one that
// goes on has ended, and does not wait for it. It returns ErrNoJob, ErrStopped, or ErrBusy
// when one waits already.
func (s *Service) Trigger(name string) (TriggerResult, error) { return s.trigger(name, "", false) }

// TriggerTask is Trigger for an archive's job with this task, such as prune.
func (s *Service) TriggerTask(name, task string) (TriggerResult, error) {
	return s.trigger(name, task, false)
}

// TriggerIdle is Trigger for those who want a run now or none: it returns ErrBusy also when one goes on.
func (s *Service) TriggerIdle(name string) error {
	_, err := s.trigger(name, "", true)
	return err
}

func (s *Service) trigger(name, task string, idle bool) (TriggerResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return "", ErrStopped
	}
	for _, r := range s.runners {
		if r.job.Name == name && r.job.Task == task {
			return r.ask(idle)
		}
	}
	job := Job{Name: name, Task: task}
	return "", fmt.Errorf("%s: %w", job.key(), ErrNoJob)
}

// Stop tells all runs to end, by their context, and waits until they have, or for Grace:
// then it returns ErrStopTimeout with the names of those that go on. It returns nil when the
// service does not run.
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
// ErrStopTimeout it still runs, until the last run comes to its end.
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
