package scheduler

import (
	"context"
	"fmt"
	"time"
)

// The intervals between two polls of a job's source. A hint of the file system shortens them. A slow poll lengthens
// them, so that polling takes at most a fiftieth of one processor, and a tenth while the database writes.
const (
	pollOnClose  = 5 * time.Second  // for a job that is due when a file closes
	pollInterval = 15 * time.Second // for a job whose polls only update the status
	pollSpacing  = 500 * time.Millisecond
	idleShare    = 50
	hintedShare  = 10
	pollTimeout  = time.Minute // a longer poll counts as failed
	repeatMark   = time.Minute // before another run for the same closed files; the shortest spacing while runs fail
	errorMark    = 1           // the fingerprint of a source that cannot be polled
)

// errPollHangs means that the source does not respond, such as a network file system whose server is down.
var errPollHangs = fmt.Errorf("reading the source takes longer than %v", pollTimeout)

// pollSource polls the source for pending data until ctx ends.
func (r *runner) pollSource(ctx context.Context) {
	if r.job.Look == nil {
		return
	}
	every := pollInterval
	if r.job.OnClose {
		every = pollOnClose
	}
	var hints <-chan struct{}
	if r.job.Hints != nil {
		hints = r.job.Hints(ctx)
	}
	var w closePoller
	for ctx.Err() == nil {
		start := time.Now()
		var ahead Pending
		hangs := time.AfterFunc(pollTimeout, func() { r.pollHangs(ctx) })
		err := guard(func() (err error) {
			ahead, err = r.job.Look(ctx)
			return err
		})
		hangs.Stop()
		if ctx.Err() != nil {
			return
		}
		r.record.notePoll(ahead, err)
		if r.job.OnClose {
			r.requestOnClose(&w, ahead, err)
		}
		took := time.Since(start)
		if !pause(ctx, max(pollSpacing, hintedShare*took), nil, nil) {
			return
		}
		pause(ctx, max(every, idleShare*took), hints, r.woken)
	}
}

// pollHangs records that a poll hangs. For a job that is due when a file closes, it requests a run, whose failure
// is reported: nothing else makes such a job due.
func (r *runner) pollHangs(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	r.record.notePoll(Pending{}, errPollHangs)
	if r.job.OnClose {
		r.record.closed(true, r.o.wall())
		_, _ = r.ask(false) // a run that is already waiting serves as well
	}
}

// pause waits for d or for a channel to receive. It returns false if ctx has ended.
func pause(ctx context.Context, d time.Duration, hints, poked <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-hints:
	case <-poked:
	case <-ctx.Done():
		return false
	}
	return true
}

// closePoller records the closed files for which a run was last requested.
type closePoller struct {
	fingerprint uint64
	at          time.Time
}

// requestOnClose requests a run if closed files are pending for which none was requested. It also requests one if
// the source cannot be polled: the run then reports the error, is counted and retried.
func (r *runner) requestOnClose(w *closePoller, ahead Pending, err error) {
	mark := ahead.Fingerprint
	if err != nil {
		mark = errorMark
	}
	now := r.o.wall()
	r.record.closed(mark != 0, now)
	if mark == 0 {
		w.fingerprint = 0
		return
	}
	j := r.record.get()
	if j.Running() {
		return // the poll right after it shows what it left
	}
	recent := now.Sub(w.at) < repeatMark && !now.Before(w.at)
	switch failing := j.FailuresInRow > 0; {
	case mark == w.fingerprint && (failing || recent):
		return
	case failing && recent:
		return // a failing destination is not tried more often, however fast files close
	}
	if _, err := r.ask(false); err != nil {
		return // a run is already waiting; the next poll shows what it left
	}
	w.fingerprint, w.at = mark, now
}
