package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// runner runs one job, over and over, in one goroutine. Another one looks what waits.
type runner struct {
	job    Job
	o      *Options
	log    *slog.Logger // says which archive it is about
	record *statusTracker
	asked  chan struct{} // holds something when a run is to begin although none is due
	woken  chan struct{} // holds something when a look is worth while

	cancel  context.CancelFunc
	ran     chan struct{} // closed when no run of it comes any more
	done    chan struct{} // closed when both goroutines have ended; nil before the first start
	retired atomic.Bool
}

func newRunner(o *Options, j Job) *runner {
	return &runner{
		job:    j,
		o:      o,
		log:    j.log(o.Log),
		record: newStatusTracker(&j),
		asked:  make(chan struct{}, 1),
		woken:  make(chan struct{}, 1),
	}
}

// outcome is what came of a run.
type outcome int

const (
	succeeded outcome = iota
	failed
	stopped // it failed after it was told to end
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
		if d := a.wait(r.o.wall()); d > 0 && !r.record.isAsked() {
			at, _ := a.next()
			r.record.plan(at, a.deadline(r.record.lastTook()))
			r.sleep(ctx, d)
			continue
		}
		r.once(ctx, a)
	}
	r.record.idle()
	close(r.ran)
	<-looking
}

// sleep returns after d, when a run is asked for, or when ctx ends.
func (r *runner) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.asked:
	case <-ctx.Done():
	}
}

// begin finds out when the last snapshot was made. It counts as running, for it may hang;
// then the job is overdue when a run of it would be.
func (r *runner) begin(ctx context.Context) *timetable {
	r.restoreStatus()
	now := r.o.wall()
	r.record.pollTime(now)
	defer r.record.idle()
	well := r.record.get().LastSuccess
	soon := newTimetable(&r.job, well, now)
	if r.job.OnClose {
		soon = newTimetable(&r.job, time.Time{}, now) // until it is found out nobody sees a file that closes
	}
	r.record.plan(time.Time{}, soon.deadline(r.record.lastTook()))
	last := r.last(ctx)
	now = r.o.wall()
	a := newTimetable(&r.job, last, now)
	if last.After(well) {
		well = last
	}
	if r.record.get().FailuresInRow > 0 { // before a restart
		a.retry = now
	}
	a.catchUp(well, now)
	if r.job.Last == nil {
		last = time.Time{} // that is no snapshot's
	}
	r.record.found(last)
	return a
}

// last is when the newest snapshot was made, or what stands for that where there are none.
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
		r.log.Warn("the time of the newest snapshot could not be found out, so one is due now", attributes(err)...)
	}
	if err != nil {
		last = time.Time{}
	}
	return last
}

// ask has a run begin as soon as none goes on; or only if none does.
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

// once makes one run and writes one line about it.
func (r *runner) once(ctx context.Context, a *timetable) {
	start := time.Now() // with the monotonic clock, for the duration
	began := r.o.wall()
	a.began(began)
	r.record.began(began)
	select {
	case <-r.asked: // this run is the one that was asked for
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
	next, _ := a.next()
	r.record.plan(next, a.deadline(r.record.lastTook()))
	r.report(res, took, o, err, next)
	r.saveStatus()
	wake(r.woken)
	if r.o.Ended != nil && o != stopped {
		r.o.Ended(r.record.get())
	}
}

// report writes the line about a run.
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
		l.Error("the run failed", append(attributes(err), "attempt", r.record.get().FailuresInRow, "next", next)...)
	case res.Said != "":
		l.Info(res.Said)
	case res.Snapshot == 0:
		l.Info("nothing new since the last snapshot")
	default:
		l.Info("a snapshot was made")
	}
}

// attributes are what is logged of an error.
func attributes(err error) []any {
	all := []any{"error", err}
	if p, ok := errors.AsType[*panicError](err); ok {
		all = append(all, "stack", string(p.stack))
	}
	return all
}

// wake puts something into a channel that holds one, unless it does already.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// panicError is a panic of a job's function: a mistake in the program, which must not
// end the other jobs.
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
