package scheduler

import "time"

// Status is what the service has done.
type Status struct {
	Running      bool
	Started      time.Time // the last start; zero before the first
	Files        int64     // copied, by all jobs
	Bytes        int64     // copied, by all jobs
	Milliseconds int64     // spent in runs, by all jobs; what runs now does not count yet
	Jobs         []JobStatus
}

// JobStatus is what one job has done, also before a restart where the service remembers. A
// zero time means never, or not known.
type JobStatus struct {
	Name    string
	Task    string
	Known   bool      // how things stood before the start has been found out, as far as it can be
	Began   time.Time // of the run that goes on now; zero: none does
	Waiting bool      // one more begins when that has ended
	Next    time.Time // when the next run begins
	Late    time.Time // by when one must have ended well; after it the job is overdue

	FailuresInRow int64
	LastSuccess   time.Time // when a run last ended well; after a start, the newest snapshot's time if that is later
	LastFailure   time.Time // when a run last failed
	LastError     string    // why; it stays after a success
	Snapshot      int64     // the number of the last snapshot made; 0: none yet

	Total   Total
	Last    Run   // the last that ended
	History []Run // the newest, oldest first

	Ahead      Pending // what waits, when that was last looked at
	AheadKnown bool    // the last look found it out
	LookError  error   // why that could not be found out
}

// Running reports whether the job runs at this moment.
func (j *JobStatus) Running() bool { return !j.Began.IsZero() }

// Overdue reports whether a run should have ended well by now and did not.
func (j *JobStatus) Overdue(now time.Time) bool { return !j.Late.IsZero() && now.After(j.Late) }

// count adds a run that ended.
func (j *JobStatus) count(run Run) {
	switch run.Outcome {
	case Made:
		j.Total.Made++
	case Unchanged:
		j.Total.Unchanged++
	case Failed:
		j.Total.Failed++
	}
	j.Last = run
	j.History = append(j.History, run)
	if n := len(j.History) - maxHistory; n > 0 {
		j.History = append([]Run(nil), j.History[n:]...)
	}
}

// Outcome is how a run ended.
type Outcome string

// How a run can end. One that was stopped is none of these, and not counted.
const (
	Made      Outcome = "made"      // a snapshot
	Unchanged Outcome = "unchanged" // there was nothing new
	Failed    Outcome = "failed"
)

// Run is one that ended.
type Run struct {
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
	Outcome  Outcome       `json:"outcome"`
	Snapshot int64         `json:"snapshot,omitempty"` // 0: it made none
	Files    int64         `json:"files,omitempty"`    // copied
	Bytes    int64         `json:"bytes,omitempty"`    // copied
	Said     string        `json:"said,omitempty"`     // what came of it, where that is no snapshot
	Error    string        `json:"error,omitempty"`
}

// Total is what all runs did.
type Total struct {
	Made         int64 `json:"made"`
	Unchanged    int64 `json:"unchanged"`
	Failed       int64 `json:"failed"`
	Files        int64 `json:"files"` // copied
	Bytes        int64 `json:"bytes"` // copied
	Milliseconds int64 `json:"milliseconds"`
}

// Runs is how many ended.
func (t *Total) Runs() int64 { return t.Made + t.Unchanged + t.Failed }

// Status returns what the service has done, one element a job, in the order in which they
// were given.
func (s *Service) Status() Status {
	s.mu.Lock()
	status := Status{Running: s.running(), Started: s.started}
	runners := s.runners
	s.mu.Unlock()
	var spent time.Duration
	for _, r := range runners {
		j := r.record.get()
		status.Jobs = append(status.Jobs, j)
		status.Files += j.Total.Files
		status.Bytes += j.Total.Bytes
		spent += r.record.time()
	}
	status.Milliseconds = spent.Milliseconds()
	return status
}

func (r *statusTracker) time() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spent
}
