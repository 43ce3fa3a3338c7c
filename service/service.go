// Package service makes snapshots on schedule. It knows nothing of archives: a Job is a
// name, a schedule and a function that makes one snapshot.
//
//	schedule, err := service.ParseSchedule("*/15 * * * *", time.UTC)
//	s := service.New(log, []service.Job{{
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
// to an hour, and in any case when it is due the next time.
//
// # Time
//
// When a job is due is a matter of the wall clock, which can be set, and which goes on
// while the host is suspended. Go's timers follow the monotonic clock, which does neither:
// a timer set for tonight would ring hours late on a laptop that slept at noon. So nobody
// here sleeps for longer than a minute before reading the wall clock again (agenda says
// what is then made of it). Daylight saving time is a matter of the schedule, which knows
// its time zone; all that is compared is instants.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

// Schedule says when a job is due. Implementations are safe for concurrent use.
type Schedule interface {
	// Next returns the first time that is later than after, or the zero time if there
	// is none.
	Next(after time.Time) time.Time
}

// ParseSchedule reads a schedule as it stands in the configuration file: five-field cron,
// @hourly and the like, or @every 10m. See config.ParseSchedule.
func ParseSchedule(expr string, location *time.Location) (Schedule, error) {
	s, err := config.ParseSchedule(expr, location)
	if err != nil {
		return nil, fmt.Errorf("reading a schedule: %w", err)
	}
	return s, nil
}

// Job is something to be done on schedule. Its functions are called by one goroutine at a
// time. They must return soon once ctx has ended: see Service.Stop.
type Job struct {
	Name     string
	Schedule Schedule

	// Jitter: each scheduled run is put off by a random time below this, so that many
	// hosts do not begin at the same moment. What becomes due meanwhile is covered by
	// that run.
	Jitter time.Duration

	// Run makes one snapshot. If it fails, it is called again. Its result counts all the
	// same. A panic is a failure.
	Run func(ctx context.Context) (Result, error)

	// Last says when the newest snapshot was made; the zero time if there is none. It
	// is asked once, at the start. If it fails, a snapshot is due: that attempt finds
	// out what is the matter and is tried again.
	Last func(ctx context.Context) (time.Time, error)
}

// Result says what a run did.
type Result struct {
	Snapshot int64 // the number of the snapshot that was made; 0: there was nothing new
	Files    int64 // copied
	Bytes    int64 // copied
}

// Grace is how long Stop waits for runs that were told to end. The program, which has ten
// seconds in all, needs a little of them afterwards.
const Grace = 9 * time.Second

// What Start and Stop report; test with errors.Is.
var (
	// ErrRunning: the service was started already, or runs from before its last stop
	// have not ended; starting would let jobs overlap with themselves.
	ErrRunning = errors.New("the service runs already")
	// ErrHanging: runs did not end although they were told to. They are left behind.
	ErrHanging = errors.New("some runs do not end")
)

// Service runs jobs on schedule. It can be started and stopped any number of times. Its
// methods are safe for concurrent use.
type Service struct {
	log     *slog.Logger
	runners []*runner

	mu      sync.Mutex
	cancel  context.CancelFunc // of the current start
	done    chan struct{}      // closed when all its goroutines have ended; nil before the first start
	started time.Time
}

// New returns a service for jobs with different names. It does nothing before it is
// started.
func New(log *slog.Logger, jobs []Job) *Service {
	s := &Service{log: log}
	for _, j := range jobs {
		s.runners = append(s.runners, newRunner(log.With("archive", j.Name), j))
	}
	return s
}

// Run starts the service and returns when it was stopped: after ctx ended or Stop was
// called. It returns nil when all runs have ended, else ErrHanging, after Grace.
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
	s.cancel, s.done, s.started = cancel, done, time.Now().Round(0)
	s.log.Info("the service has started", "archives", len(s.runners))
	var all sync.WaitGroup
	for _, r := range s.runners {
		all.Go(func() { r.loop(ctx) })
	}
	go func() {
		<-ctx.Done() // also when there is nothing to do
		all.Wait()
		s.log.Info("the service has stopped")
		close(done)
	}()
	return ctx, done, nil
}

// Stop tells all runs to end, by their context, and waits until they have, or for Grace:
// then it returns ErrHanging with the names of those that go on. It returns nil when the
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
	var names []string
	for _, r := range s.runners {
		if r.status().Running() {
			names = append(names, r.job.Name)
		}
	}
	return fmt.Errorf("stopping: %w after %v: %s", ErrHanging, Grace, strings.Join(names, ", "))
}

// Running reports whether the service was started and has not ended. After Stop returned
// ErrHanging it still runs, until the last run comes to its end.
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
