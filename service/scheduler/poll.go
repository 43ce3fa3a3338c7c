package scheduler

import (
	"context"
	"fmt"
	"time"
)

// How often a job's source is looked at: a hint of the file system makes it sooner, a
// source that takes long to look at makes it rarer, so that looking takes a fiftieth of
// one processor at the most, and a tenth while the database writes.
const (
	pollOnClose  = 5 * time.Second  // where a file that closes makes a run due
	pollInterval = 15 * time.Second // where only the status shows it
	pollSpacing  = 500 * time.Millisecond
	idleShare    = 50
	hintedShare  = 10
	pollTimeout  = time.Minute // a look that takes longer counts as one that failed
	repeatMark   = time.Minute // a run that left a closed file behind is tried again; while runs fail, no more are asked for
	errorMark    = 1           // the mark of a source that cannot be looked at
)

// errPollHangs: the source does not answer, as a network file system whose server is gone.
var errPollHangs = fmt.Errorf("looking at the source takes longer than %v", pollTimeout)

// pollSource looks what waits to be done, until ctx ends.
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

// pollHangs has a run of a job without times find out what is the matter: nothing else would
// make it due, and so nobody would ever be told.
func (r *runner) pollHangs(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	r.record.notePoll(Pending{}, errPollHangs)
	if r.job.OnClose {
		r.record.closed(true, r.o.wall())
		_, _ = r.ask(false) // one that waits already does it, too
	}
}

// pause waits for d or for something on a channel; it returns false when ctx has ended.
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

// closePoller remembers for which closed files a run was asked last.
type closePoller struct {
	fingerprint uint64
	at          time.Time
}

// requestOnClose asks for a run when closed files wait for which none was asked. A source that
// cannot be looked at is the run's to explain: it fails, is counted and tried again.
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
		return // there is a look right after it, which shows what it left
	}
	recent := now.Sub(w.at) < repeatMark && !now.Before(w.at)
	switch failing := j.FailuresInRow > 0; {
	case mark == w.fingerprint && (failing || recent):
		return
	case failing && recent:
		return // however fast files close, the failing destination gets a rest
	}
	if _, err := r.ask(false); err != nil {
		return // one waits already; the next look sees what is left
	}
	w.fingerprint, w.at = mark, now
}
