package scheduler

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// maxHistory is the number of runs in the history: two days of hourly runs.
const maxHistory = 48

// statusTracker keeps one job's status. It is safe for concurrent use.
type statusTracker struct {
	mu          sync.Mutex
	status      JobStatus
	spent       time.Duration // more exact than the sum of milliseconds
	asked       bool          // a run was requested and has not begun
	serves      bool          // the present run serves a request
	queued      bool          // a run is due, and waits for its turn
	paused      bool          // no run begins
	notePolling bool          // the present "run" is the read of the job's state at the start
	late        time.Time     // the deadline by the schedule
	closedSince time.Time     // since when closed files are pending that make a run due
	took        time.Duration // the duration of the last successful run
	since       time.Time     // the job's first start; zero until it is needed
	old         bool          // the status from before the start has been read
}

func newStatusTracker(j *Job) *statusTracker {
	return &statusTracker{status: JobStatus{Name: j.Name, Task: j.Task}}
}

func (r *statusTracker) get() JobStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.status
	j.History = slices.Clone(j.History)
	j.Waiting = r.asked && j.Running() || r.queued
	j.Late = r.late
	if !r.closedSince.IsZero() {
		if late := r.closedSince.Add(time.Minute + 3*r.took); j.Late.IsZero() || late.Before(j.Late) {
			j.Late = late
		}
	}
	if r.paused {
		j.Next, j.Late = time.Time{}, time.Time{}
	}
	return j
}

func (r *statusTracker) lastTook() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.took
}

// ask records a request for a run. It is not ok if one is already requested, or with idle during a run.
func (r *statusTracker) ask(idle bool) (running, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked || idle && r.status.Running() && !r.notePolling {
		return false, false
	}
	r.asked = true
	return r.status.Running() || r.queued, true
}

// queue records whether a run waits for its turn.
func (r *statusTracker) queue(waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queued = waits
}

func (r *statusTracker) isAsked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// plan records when the next run begins, and the deadline of the next success.
func (r *statusTracker) plan(next, late time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Next, r.late = next, late
}

// pause records whether the job is paused: no run is expected then.
func (r *statusTracker) pause(isPaused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = isPaused
	if isPaused {
		r.closedSince = time.Time{}
	}
}

// setInterval records the time between two scheduled runs.
func (r *statusTracker) setInterval(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Interval = d
}

// found records when the newest snapshot was made.
func (r *statusTracker) found(newest time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Known = true
	if r.status.LastSuccess.Before(newest) {
		r.status.LastSuccess = newest
	}
}

// notePoll records the result of a poll.
func (r *statusTracker) notePoll(ahead Pending, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LookError, r.status.AheadKnown = err, err == nil
	if err == nil {
		r.status.Ahead = ahead
	}
}

// closed records whether closed files are pending that make a run due.
func (r *statusTracker) closed(wait bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !wait || r.paused:
		r.closedSince = time.Time{}
	case r.closedSince.IsZero() || r.closedSince.After(now):
		r.closedSince = now
	}
}

// began records that a run begins, which also serves a request.
func (r *statusTracker) began(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next, r.notePolling = now, time.Time{}, false
	r.asked, r.serves = false, r.asked
}

// askAgain renews the request that the last run was to serve, if there was one.
func (r *statusTracker) askAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = r.asked || r.serves
}

// pollTime records that the read of the job's state at the start begins. A request for a run still waits.
func (r *statusTracker) pollTime(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next, r.notePolling = now, time.Time{}, true
}

// idle records that the job neither runs nor waits.
func (r *statusTracker) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next = time.Time{}, time.Time{}
}

// ended records a run's result.
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
		r.closedSince = time.Time{} // the next poll sets it if files are still pending
	case failed:
		run.Outcome, run.Error = Failed, text(err)
		j.LastFailure, j.LastError = now, run.Error
		j.FailuresInRow++
	}
	j.count(run)
}

// text returns an error's text, cut to maxText bytes.
func text(err error) string {
	s := err.Error()
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + " …"
	}
	return s
}
