package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// runner runs one job, over and over, in one goroutine.
type runner struct {
	job    Job
	log    *slog.Logger // says which archive it is about
	record record
}

func newRunner(log *slog.Logger, j Job) *runner {
	return &runner{job: j, log: log, record: record{status: JobStatus{Name: j.Name}}}
}

func (r *runner) status() JobStatus { return r.record.get() }

// wall returns the time by the wall clock alone, so that differences are those of the
// wall clock, too.
func wall() time.Time { return time.Now().Round(0) }

// outcome is what came of a run.
type outcome int

const (
	succeeded outcome = iota
	failed
	stopped // it failed after it was told to end
)

// loop runs the job when it is due, until ctx ends.
func (r *runner) loop(ctx context.Context) {
	defer r.record.idle()
	a := r.begin(ctx)
	for ctx.Err() == nil {
		if d := a.wait(wall()); d > 0 {
			at, _ := a.next()
			r.record.next(at)
			sleep(ctx, d)
			continue
		}
		r.once(ctx, a)
	}
}

// begin finds out when the last snapshot was made. It counts as running, for it may hang.
func (r *runner) begin(ctx context.Context) *agenda {
	r.record.began(wall())
	defer r.record.idle()
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
	return newAgenda(&r.job, last, wall())
}

// once makes one run and writes one line about it.
func (r *runner) once(ctx context.Context, a *agenda) {
	start := time.Now() // with the monotonic clock, for the duration
	a.began(start.Round(0))
	r.record.began(start.Round(0))
	var res Result
	err := guard(func() (err error) {
		res, err = r.job.Run(ctx)
		return err
	})
	took, now := time.Since(start), wall()
	o := succeeded
	switch {
	case err != nil && ctx.Err() != nil:
		o = stopped
	case err != nil:
		o = failed
	}
	a.ended(now, o)
	r.record.ended(now, took, res, o, err)
	r.report(res, took, o, err, a)
}

// report writes the line about a run.
func (r *runner) report(res Result, took time.Duration, o outcome, err error, a *agenda) {
	l := r.log.With("snapshot", res.Snapshot, "files", res.Files, "bytes", res.Bytes, "ms", took.Milliseconds())
	switch {
	case o == stopped:
		l.Info("the run was stopped", attributes(err)...)
	case o == failed:
		next, _ := a.next()
		l.Error("the run failed", append(attributes(err), "attempt", a.failures, "next", next)...)
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

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
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
