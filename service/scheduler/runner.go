package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/strongroom-dev/strongroom/service/statefile"
)

// runner repeats one job in one goroutine. Another goroutine polls the job's source.
type runner struct {
	job    Job
	o      *Options
	state  *statefile.Dir
	turns  *turns
	log    *slog.Logger // with the archive's name
	record *statusTracker
	gate   *gate
	asked  chan struct{} // has an element when a run was requested
	woken  chan struct{} // has an element when a poll should be made early

	cancel  context.CancelFunc
	ran     chan struct{} // closed after the last run
	done    chan struct{} // closed when both goroutines have ended; nil before the first start
	retired atomic.Bool
}

func newRunner(o *Options, state *statefile.Dir, j Job, g *gate) *runner {
	return &runner{
		job:    j,
		o:      o,
		state:  state,
		log:    j.log(o.Log),
		record: newStatusTracker(&j),
		gate:   g,
		asked:  make(chan struct{}, 1),
		woken:  make(chan struct{}, 1),
	}
}

// outcome is the result of a run.
type outcome int

const (
	succeeded outcome = iota
	failed
	stopped // it failed after its context ended
)

// run runs the job when it is due, until ctx ends.
func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	looking := make(chan struct{})
	a := r.begin(ctx)
	go func() {
		defer close(looking)
		r.pollSource(ctx)
	}()
	for ctx.Err() == nil {
		if r.pause(ctx, a) {
			continue
		}
		if d := a.wait(r.o.wall()); d > 0 && !r.record.isAsked() {
			at, _ := a.next()
			r.record.plan(at, a.deadline(r.record.lastTook()))
			r.record.setInterval(a.interval())
			r.sleep(ctx, d)
			continue
		}
		r.once(ctx, a)
	}
	r.record.idle()
	close(r.ran)
	<-looking
}

// sleep returns after d, when a run is requested, when the job is paused, or when ctx ends.
func (r *runner) sleep(ctx context.Context, d time.Duration) {
	closed, changed := r.gate.get()
	if closed {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.asked:
	case <-changed:
	case <-ctx.Done():
	}
}

// begin reads when the last snapshot was made and returns the job's timetable. It counts as a run, since it may
// hang: the job then becomes overdue like one whose run hangs.
func (r *runner) begin(ctx context.Context) *timetable {
	r.restoreStatus()
	now := r.o.wall()
	r.record.pollTime(now)
	defer r.record.idle()
	well := r.record.get().LastSuccess
	soon := newTimetable(&r.job, well, now)
	if r.job.OnClose {
		soon = newTimetable(&r.job, time.Time{}, now) // until then no poll detects a file that closes
	}
	r.record.plan(time.Time{}, soon.deadline(r.record.lastTook()))
	last := r.last(ctx)
	now = r.o.wall()
	a := newTimetable(&r.job, last, now)
	if last.After(well) {
		well = last
	}
	if r.record.get().FailuresInRow > 0 && !a.once { // before a restart
		a.retry = now
	}
	a.catchUp(well, now)
	if r.job.Last == nil {
		last = time.Time{} // not a snapshot's time
	}
	r.record.found(last)
	return a
}

// last returns when the newest snapshot was made. For a job without snapshots it returns the time of the last
// successful run, or of the job's first start.
func (r *runner) last(ctx context.Context) time.Time {
	if r.job.Last == nil {
		last, isNew := r.record.remembered(r.o.wall())
		if isNew {
			r.saveStatus()
		}
		return last
	}
	var last time.Time
	err := guard(func() (err error) {
		last, err = r.job.Last(ctx)
		return err
	})
	if err != nil && ctx.Err() == nil {
		r.log.Warn("cannot read the time of the newest snapshot, so a run is due now", attributes(err)...)
	}
	if err != nil {
		last = time.Time{}
	}
	return last
}

// ask requests a run, which begins at once or after the present run. With idle it returns ErrBusy during a run.
func (r *runner) ask(idle bool) (TriggerResult, error) {
	running, ok := r.record.ask(idle)
	if !ok {
		return "", fmt.Errorf("%s: %w", r.job.Name, ErrBusy)
	}
	wake(r.asked)
	if running {
		return Waiting, nil
	}
	return Started, nil
}

// once makes one run, when it is its turn, and logs one line about it.
func (r *runner) once(ctx context.Context, a *timetable) {
	r.record.plan(time.Time{}, a.deadline(r.record.lastTook()))
	r.record.queue(true)
	release, ok := r.turns.take(ctx, r.record.isAsked(), r.asked)
	r.record.queue(false)
	if !ok {
		return // stopped: the job that replaces this one serves the request
	}
	defer release()
	if r.gate.isClosed() {
		return // paused while it waited
	}
	start := time.Now() // with the monotonic clock, for the duration
	began := r.o.wall()
	a.began(began)
	r.record.began(began)
	select {
	case <-r.asked: // this run serves the request
	default:
	}
	r.record.plan(time.Time{}, a.deadline(r.record.lastTook()))
	var res Result
	err := guard(func() (err error) {
		res, err = r.job.Run(ctx)
		return err
	})
	took, now := time.Since(start), r.o.wall()
	o := succeeded
	switch {
	case err != nil && ctx.Err() != nil:
		o = stopped
	case err != nil:
		o = failed
	}
	a.ended(now, o)
	r.record.ended(now, took, res, o, err)
	if o == stopped && r.retired.Load() {
		r.record.askAgain() // a reload stopped the run: the job in its place serves the request
	}
	next, _ := a.next()
	r.record.plan(next, a.deadline(r.record.lastTook()))
	r.report(res, took, o, err, next)
	r.saveStatus()
	wake(r.woken)
	if r.o.Ended != nil && o != stopped {
		r.o.Ended(r.record.get())
	}
}

// report logs one line about a run.
func (r *runner) report(res Result, took time.Duration, o outcome, err error, next time.Time) {
	l := r.log
	if res.Snapshot > 0 || res.Files > 0 {
		l = l.With("snapshot", res.Snapshot, "files", res.Files, "bytes", res.Bytes)
	}
	l = l.With("ms", took.Milliseconds())
	switch {
	case o == stopped:
		l.Info("the run was stopped", attributes(err)...)
	case o == failed:
		all := append(attributes(err), "attempt", r.record.get().FailuresInRow)
		if !next.IsZero() {
			all = append(all, "next", next)
		}
		l.Error("the run failed", all...)
	case res.Said != "":
		l.Info(res.Said)
	case res.Snapshot == 0:
		l.Info("nothing new since the last snapshot")
	default:
		l.Info("a snapshot was made")
	}
}

// attributes returns the log attributes of an error.
func attributes(err error) []any {
	all := []any{"error", err}
	if p, ok := errors.AsType[*panicError](err); ok {
		all = append(all, "stack", string(p.stack))
	}
	return all
}

// wake puts an element into a channel of capacity one, unless it is full.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// panicError is a panic of a job's function: a bug, which must not end the other jobs.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string {
	return fmt.Sprintf("it panicked, which is a bug in strongroom: %v", p.value)
}

// guard calls f and turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return f()
}
