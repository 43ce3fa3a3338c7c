package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

// Schedule computes when a job is due. Implementations are safe for concurrent use.
type Schedule interface {
	// Next returns the first scheduled time later than after, or the zero time if there is none.
	Next(after time.Time) time.Time
}

// ParseSchedule parses a schedule of the configuration file: five-field cron, a name such as @hourly, @every 10m,
// or @close, which has no times. See config.ParseSchedule.
func ParseSchedule(expr string, location *time.Location) (Schedule, error) {
	s, err := config.ParseSchedule(expr, location)
	if err != nil {
		return nil, fmt.Errorf("reading a schedule: %w", err)
	}
	return s, nil
}

// Job is work on a schedule. Its functions must return soon after ctx has ended: see Service.Stop.
type Job struct {
	Name     string // the archive's name; no two jobs of a service have the same name and task
	Schedule Schedule

	// Version identifies the job's settings: Set keeps a job whose name and version are unchanged.
	Version string

	// Jitter is the upper bound of a random delay of each scheduled run, so that many hosts do not begin at the
	// same moment. The run also covers times that become due during the delay.
	Jitter time.Duration

	// Together gives jobs with the same text and schedule the same delay. If it is empty, the job's delay is its
	// own.
	Together string

	// OnDemand makes the job due only by Trigger. A failed snapshot is tried again all the same. A task is not: each
	// attempt may cost much, and the operator who requested it sees the failure.
	OnDemand bool

	// Task is the job's work if that is not making snapshots, such as verify. It is empty for a job that makes
	// snapshots. Name and task together identify a job.
	Task string

	// Retired is called when none of the job's functions will be called any more: after Set has replaced or removed
	// the job, or at once if Set kept the job before it. The service holds no lock then. It may be nil.
	Retired func()

	// Run does the work, such as making one snapshot. It is never called concurrently with itself. It is called
	// again after an error, whose Result is counted, too. A panic counts as an error.
	Run func(ctx context.Context) (Result, error)

	// Last returns when the newest snapshot was made, or the zero time if there is none. It is called once, at the
	// start, before any Run. If it fails, a run is due, which reports the cause and is retried. If it is nil, the
	// service uses the time of the last successful run that it remembers, or else the job's first start.
	Last func(ctx context.Context) (time.Time, error)

	// Look returns the pending data. It is called repeatedly by its own goroutine, also during runs. Nil means that
	// pending data is unknown.
	Look func(ctx context.Context) (Pending, error)

	// Hints returns a channel that receives when an early call of Look is worthwhile. It ends with ctx. Nil, or a
	// nil channel, disables hints.
	Hints func(ctx context.Context) <-chan struct{}

	// OnClose makes the job due as soon as Look reports pending closed files.
	OnClose bool
}

// key identifies a job. No archive's name contains a plus sign.
func (j *Job) key() string {
	if j.Task == "" {
		return j.Name
	}
	return j.Name + "+" + j.Task
}

func (j *Job) log(l *slog.Logger) *slog.Logger {
	if j.Task != "" {
		l = l.With("task", j.Task)
	}
	return l.With("archive", j.Name)
}

// Result is the work of a run.
type Result struct {
	Snapshot int64  // the number of the snapshot that was made; 0 if there was nothing new
	Files    int64  // copied
	Bytes    int64  // copied
	Said     string // the run's log message; empty selects one by Snapshot
}

// Pending is the amount of data that is not archived yet.
type Pending struct {
	Files       int64
	Bytes       int64
	Closed      int64  // the closed files among Files
	Fingerprint uint64 // equal while the pending closed files are the same
}
