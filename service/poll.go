package service

import (
	"context"
	"fmt"
	"time"
)

// How often a job's source is looked at: a hint of the file system makes it sooner, a
// source that takes long to look at makes it rarer, so that looking takes a fiftieth of
// one processor at the most, and a tenth while the database writes.
const (
	lookOnClose  = 5 * time.Second  // where a file that closes makes a run due
	lookAnyway   = 15 * time.Second // where only the status shows it
	lookSpacing  = 500 * time.Millisecond
	idleShare    = 50
	hintedShare  = 10
	lookPatience = time.Minute // a look that takes longer counts as one that failed
	repeatMark   = time.Minute // a run that left a closed file behind is tried again; while runs fail, no more are asked for
	troubledMark = 1           // the mark of a source that cannot be looked at
)

// errLookHangs: the source does not answer, as a network file system whose server is gone.
var errLookHangs = fmt.Errorf("looking at the source takes longer than %v", lookPatience)

// lookOut looks what waits to be done, until ctx ends.
func (r *runner) lookOut(ctx context.Context) {
	if r.job.Look == nil {
		return
	}
	every := lookAnyway
	if r.job.OnClose {
		every = lookOnClose
	}
	var hints <-chan struct{}
	if r.job.Hints != nil {
		hints = r.job.Hints(ctx)
	}
	var w closeWatch
	for ctx.Err() == nil {
		start := time.Now()
		var ahead Ahead
		hangs := time.AfterFunc(lookPatience, func() { r.lookHangs(ctx) })
		err := guard(func() (err error) {
			ahead, err = r.job.Look(ctx)
			return err
		})
		hangs.Stop()
		if ctx.Err() != nil {
			return
		}
		r.record.looked(ahead, err)
		if r.job.OnClose {
			r.askOnClose(&w, ahead, err)
		}
		took := time.Since(start)
		if !pause(ctx, max(lookSpacing, hintedShare*took), nil, nil) {
			return
		}
		pause(ctx, max(every, idleShare*took), hints, r.poked)
	}
}

// lookHangs has a run of a job without times find out what is the matter: nothing else would
// make it due, and so nobody would ever be told.
func (r *runner) lookHangs(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	r.record.looked(Ahead{}, errLookHangs)
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

// closeWatch remembers for which closed files a run was asked last.
type closeWatch struct {
	mark uint64
	at   time.Time
}

// askOnClose asks for a run when closed files wait for which none was asked. A source that
// cannot be looked at is the run's to explain: it fails, is counted and tried again.
func (r *runner) askOnClose(w *closeWatch, ahead Ahead, err error) {
	mark := ahead.Mark
	if err != nil {
		mark = troubledMark
	}
	now := r.o.wall()
	r.record.closed(mark != 0, now)
	if mark == 0 {
		w.mark = 0
		return
	}
	j := r.record.get()
	if j.Running() {
		return // there is a look right after it, which shows what it left
	}
	recent := now.Sub(w.at) < repeatMark && !now.Before(w.at)
	switch failing := j.FailuresInRow > 0; {
	case mark == w.mark && (failing || recent):
		return
	case failing && recent:
		return // however fast files close, the failing destination gets a rest
	}
	if _, err := r.ask(false); err != nil {
		return // one waits already; the next look sees what is left
	}
	w.mark, w.at = mark, now
}
