package scheduler

import "time"

// Status is the state of the service.
type Status struct {
	Running      bool
	Started      time.Time // the last start; zero before the first
	Files        int64     // copied, by all jobs
	Bytes        int64     // copied, by all jobs
	Milliseconds int64     // spent in runs that have ended, by all jobs
	Jobs         []JobStatus
}

// JobStatus is the state of one job, including what its state file has from before a restart. A zero time means
// never, or unknown.
type JobStatus struct {
	Name    string
	Task    string
	Known   bool      // the state from before the start has been read, as far as possible
	Began   time.Time // the start of the present run; zero if there is none
	Waiting bool      // another run begins after the present one, or a run is due and waits for those of other jobs
	Next    time.Time // when the next run begins
	// Interval is the time between the next two scheduled runs; 0 if there are none.
	Interval time.Duration
	Late     time.Time // the deadline of the next successful run; after it the job is overdue

	FailuresInRow int64
	LastSuccess   time.Time // when a run last succeeded; after a start, the newest snapshot's time if that is later
	LastFailure   time.Time // when a run last failed
	LastError     string    // the last failure's reason; it stays after a success
	Snapshot      int64     // the number of the last snapshot made; 0 if none

	Total   Total
	Last    Run   // the last run that ended
	History []Run // the newest runs, oldest first

	Ahead      Pending // the pending data at the last successful poll
	AheadKnown bool    // the last poll succeeded
	LookError  error   // why the last poll failed
}

// Running reports whether the job runs at this moment.
func (j *JobStatus) Running() bool { return !j.Began.IsZero() }

// Overdue reports whether no run has succeeded by the deadline.
func (j *JobStatus) Overdue(now time.Time) bool { return !j.Late.IsZero() && now.After(j.Late) }

// count adds a run that has ended.
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

// Outcome is the result of a run.
type Outcome string

// The outcomes of a run. A stopped run has none of them and is not counted.
const (
	Made      Outcome = "made"      // the run made a snapshot
	Unchanged Outcome = "unchanged" // the run found nothing new
	Failed    Outcome = "failed"
)

// Run is a run that has ended.
type Run struct {
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
	Outcome  Outcome       `json:"outcome"`
	Snapshot int64         `json:"snapshot,omitempty"` // the number of the snapshot it made; 0 if none
	Files    int64         `json:"files,omitempty"`    // copied
	Bytes    int64         `json:"bytes,omitempty"`    // copied
	Said     string        `json:"said,omitempty"`     // the result as text, for a task
	Error    string        `json:"error,omitempty"`
}

// Total is the work of all runs.
type Total struct {
	Made         int64 `json:"made"`
	Unchanged    int64 `json:"unchanged"`
	Failed       int64 `json:"failed"`
	Files        int64 `json:"files"` // copied
	Bytes        int64 `json:"bytes"` // copied
	Milliseconds int64 `json:"milliseconds"`
}

// Runs is the number of runs that have ended.
func (t *Total) Runs() int64 { return t.Made + t.Unchanged + t.Failed }

// Status returns the state of the service, with one element for each job, in the order of Set.
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

// JobsOf returns the state of the jobs of one archive, in the order of Set.
func (s *Service) JobsOf(name string) []JobStatus {
	s.mu.Lock()
	runners := s.runners
	s.mu.Unlock()
	var all []JobStatus
	for _, r := range runners {
		if r.job.Name == name {
			all = append(all, r.record.get())
		}
	}
	return all
}

func (r *statusTracker) time() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spent
}
