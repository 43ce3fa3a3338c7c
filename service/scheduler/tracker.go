package scheduler

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// maxHistory is how many runs are kept for people to look at: two days of hourly ones.
const maxHistory = 48

// statusTracker keeps one job's status. It is safe for concurrent use.
type statusTracker struct {
	mu          sync.Mutex
	status      JobStatus
	spent       time.Duration // more exact than the sum of milliseconds
	asked       bool          // a run is to begin although none is due
	notePolling bool          // what counts as running finds out where the job stands
	late        time.Time     // by the schedule
	closedSince time.Time     // since when closed files wait that make a run due
	took        time.Duration // by the last good run
	since       time.Time     // when the job was first known; zero: nobody has asked
	old         bool          // what was before the start has been looked up
}

func newStatusTracker(j *Job) *statusTracker {
	return &statusTracker{status: JobStatus{Name: j.Name, Task: j.Task}}
}

func (r *statusTracker) get() JobStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.status
	j.History = slices.Clone(j.History)
	j.Waiting = r.asked && j.Running()
	j.Late = r.late
	if !r.closedSince.IsZero() {
		if late := r.closedSince.Add(time.Minute + 3*r.took); j.Late.IsZero() || late.Before(j.Late) {
			j.Late = late
		}
	}
	return j
}

func (r *statusTracker) lastTook() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.took
}

// ask notes that a run is to begin; not ok if that is so already, or one runs that must not.
func (r *statusTracker) ask(idle bool) (running, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked || idle && r.status.Running() && !r.notePolling {
		return false, false
	}
	r.asked = true
	return r.status.Running(), true
}

func (r *statusTracker) isAsked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// plan notes when the next run begins, and by when one must have ended well.
func (r *statusTracker) plan(next, late time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Next, r.late = next, late
}

// found notes when the newest snapshot was made.
func (r *statusTracker) found(newest time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Known = true
	if r.status.LastSuccess.Before(newest) {
		r.status.LastSuccess = newest
	}
}

// notePoll notes what waits to be done.
func (r *statusTracker) notePoll(ahead Pending, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LookError, r.status.AheadKnown = err, err == nil
	if err == nil {
		r.status.Ahead = ahead
	}
}

// closed notes whether closed files wait that make a run due.
func (r *statusTracker) closed(wait bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !wait:
		r.closedSince = time.Time{}
	case r.closedSince.IsZero() || r.closedSince.After(now):
		r.closedSince = now
	}
}

// began notes that a run begins, which is also the one that was asked for.
func (r *statusTracker) began(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next, r.notePolling = now, time.Time{}, false
	r.asked = false
}

// pollTime notes that the job finds out where it stands. What was asked of it still waits.
func (r *statusTracker) pollTime(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next, r.notePolling = now, time.Time{}, true
}

// idle notes that the job does nothing at all.
func (r *statusTracker) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next = time.Time{}, time.Time{}
}

// ended notes what came of a run.
func (r *statusTracker) ended(now time.Time, took time.Duration, res Result, o outcome, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	run := Run{Start: j.Began, Duration: took, Outcome: Unchanged, Snapshot: res.Snapshot, Files: res.Files, Bytes: res.Bytes, Said: res.Said}
	j.Began = time.Time{}
	j.Total.Files += res.Files
	j.Total.Bytes += res.Bytes
	r.spent += took
	j.Total.Milliseconds = r.spent.Milliseconds()
	if res.Snapshot != 0 {
		run.Outcome = Made
		j.Snapshot = res.Snapshot
	}
	switch o {
	case stopped:
		return
	case succeeded:
		j.LastSuccess, j.FailuresInRow = now, 0
		r.took = took
		r.closedSince = time.Time{} // the next look tells
	case failed:
		run.Outcome, run.Error = Failed, text(err)
		j.LastFailure, j.LastError = now, run.Error
		j.FailuresInRow++
	}
	j.count(run)
}

// text is what is kept of an error: enough to read, not more.
func text(err error) string {
	s := err.Error()
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + " …"
	}
	return s
}
