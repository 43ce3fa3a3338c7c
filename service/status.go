package service

import (
	"sync"
	"time"
)

// Status is what the service has done since it was made, in all its starts.
type Status struct {
	Running      bool
	Started      time.Time // the last start; zero before the first
	Files        int64     // copied, by all jobs
	Bytes        int64     // copied, by all jobs
	Milliseconds int64     // spent in runs, by all jobs; what runs now does not count yet
	Jobs         []JobStatus
}

// JobStatus is what one job has done.
type JobStatus struct {
	Name         string
	Began        time.Time // of the run that goes on now; zero: none does
	Next         time.Time // when the next run begins; zero: not known, or never
	Runs         int64     // that ended, well or not
	Failures     int64     // of these; being stopped is none
	Attempt      int       // failures in a row
	Files        int64     // copied
	Bytes        int64     // copied
	Milliseconds int64     // spent in runs
	Snapshot     int64     // the number of the last snapshot made; 0: none since the start
	LastSuccess  time.Time // when a run last ended well; zero: never
	LastFailure  time.Time // when a run last failed; zero: never
	LastError    error     // why; it stays after a success. nil: none failed
}

// Running reports whether the job runs at this moment.
func (j JobStatus) Running() bool { return !j.Began.IsZero() }

// Status returns what the service has done, one element a job, in the order of New.
func (s *Service) Status() Status {
	s.mu.Lock()
	status := Status{Running: s.running(), Started: s.started}
	s.mu.Unlock()
	var spent time.Duration
	for _, r := range s.runners {
		j := r.status()
		status.Jobs = append(status.Jobs, j)
		status.Files += j.Files
		status.Bytes += j.Bytes
		spent += r.record.time()
	}
	status.Milliseconds = spent.Milliseconds()
	return status
}

// record keeps one job's status. It is safe for concurrent use.
type record struct {
	mu     sync.Mutex
	status JobStatus
	spent  time.Duration // more exact than the sum of milliseconds
}

func (r *record) get() JobStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *record) time() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spent
}

// next notes when the next run begins.
func (r *record) next(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Next = t
}

// began notes that a run begins.
func (r *record) began(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next = now, time.Time{}
}

// idle notes that the job does nothing at all.
func (r *record) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Began, r.status.Next = time.Time{}, time.Time{}
}

// ended notes what came of a run.
func (r *record) ended(now time.Time, took time.Duration, res Result, o outcome, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	j.Began = time.Time{}
	j.Runs++
	j.Files += res.Files
	j.Bytes += res.Bytes
	r.spent += took
	j.Milliseconds = r.spent.Milliseconds()
	if res.Snapshot != 0 {
		j.Snapshot = res.Snapshot
	}
	switch o {
	case succeeded:
		j.LastSuccess, j.Attempt = now, 0
	case failed:
		j.LastFailure, j.LastError = now, err
		j.Failures++
		j.Attempt++
	}
}
