package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

// Schedule says when a job is due. Implementations are safe for concurrent use.
type Schedule interface {
	// Next returns the first time that is later than after, or the zero time if there
	// is none.
	Next(after time.Time) time.Time
}

// ParseSchedule reads a schedule as it stands in the configuration file: five-field cron,
// @hourly and the like, @every 10m, or @close, which has no times of its own. See
// config.ParseSchedule.
func ParseSchedule(expr string, location *time.Location) (Schedule, error) {
	s, err := config.ParseSchedule(expr, location)
	if err != nil {
		return nil, fmt.Errorf("reading a schedule: %w", err)
	}
	return s, nil
}

// Job is something to be done on schedule. Its functions must return soon once ctx has
// ended: see Service.Stop.
type Job struct {
	Name     string // of the archive; no two jobs of a service have the same name and task
	Schedule Schedule

	// Version is another one when the job is: Set leaves a job alone that has the same
	// name and version as before.
	Version string

	// Jitter: each scheduled run is put off by a random time below this, so that many
	// hosts do not begin at the same moment. What becomes due meanwhile is covered by
	// that run.
	Jitter time.Duration

	// Together: jobs that have this in common, and the same schedule, are put off by the
	// same time. Empty: each by its own.
	Together string

	// OnDemand: nothing makes the job due but Trigger.
	OnDemand bool

	// Task is what a job of an archive does besides making snapshots, such as verify;
	// empty for those. It follows the name where jobs are told apart.
	Task string

	// Retired is called once nothing of the job will be called any more: after Set has
	// replaced or removed it, or at once where Set left the one before alone. It may be nil.
	Retired func()

	// Run does it, such as making one snapshot. It is never called twice at a time. If
	// it fails, it is called again. Its result counts all the same. A panic is a failure.
	Run func(ctx context.Context) (Result, error)

	// Last says when the newest snapshot was made; the zero time if there is none. It
	// is asked once, at the start, before any Run. If it fails, a run is due: that
	// attempt finds out what is the matter and is tried again. nil: the service goes by
	// when a run last ended well as far as it remembers, and of a job that never did by
	// when it first had that.
	Last func(ctx context.Context) (time.Time, error)

	// Look says what waits to be done. It is called again and again, also during runs,
	// by a goroutine of its own. nil: nobody can know.
	Look func(ctx context.Context) (Pending, error)

	// Hints returns a channel on which something comes when a look is worth while
	// before its time. It ends with ctx. nil, or a nil channel: nothing hints.
	Hints func(ctx context.Context) <-chan struct{}

	// OnClose: the job is due as soon as a look shows that closed files wait.
	OnClose bool
}

// key tells jobs apart. No archive's name has a + in it.
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

// Result says what a run did.
type Result struct {
	Snapshot int64  // the number of the snapshot that was made; 0: there was nothing new
	Files    int64  // copied
	Bytes    int64  // copied
	Said     string // what the log says of it; empty: whether there is a snapshot
}

// Pending is what waits to be done.
type Pending struct {
	Files       int64
	Bytes       int64
	Closed      int64  // of the files, those that are closed
	Fingerprint uint64 // the same as long as the closed files that wait are the same
}
