package strongroom

import (
	"context"
	"errors"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/scheduler"
)

// Start makes snapshots in the background until Stop: by five-field cron in local time, such as "*/15 * * * *", or by a
// name such as @hourly, or by an interval such as "@every 10m". If the newest snapshot is older than the schedule allows,
// the first run begins at once. A run that fails is logged and tried again, after a second, then two, up to an hour. A
// run waits for a Backup that was called directly, and the other way round. Errors: ErrRunning if the schedule is
// running, ErrNoSource, ErrClosed.
func (a *Archive) Start(schedule string) error {
	if a.dir == "" {
		return ErrNoSource
	}
	when, err := scheduler.ParseSchedule(schedule, time.Local)
	if err != nil {
		return err
	}
	if when.Next(time.Now()).IsZero() {
		return errors.New("the schedule has no times; use cron, a name such as @hourly, or @every and a duration")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return ErrClosed
	case a.service != nil && a.service.Running():
		return ErrRunning
	}
	a.service = scheduler.New(scheduler.Options{Log: a.options.archive.Log}, []scheduler.Job{{
		Name: a.options.node, Schedule: when, Run: a.run, Last: a.newest,
	}})
	return a.service.Start(a.life)
}

// Stop ends the schedule, and a run that is in progress or waits for another backup: the next one continues. A Backup
// that was called directly goes on. Stop returns ErrStopTimeout if the run does not end within scheduler.Grace. It does
// nothing if the schedule is not running.
func (a *Archive) Stop() error {
	a.mu.Lock()
	s := a.service
	a.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Stop()
}

// Running reports whether the schedule is running, also between two runs.
func (a *Archive) Running() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.service != nil && a.service.Running()
}

// FilesCopied returns how many files all backups since Open have sent.
func (a *Archive) FilesCopied() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files
}

// LastDuration returns how long the last backup took that has ended; 0 before the first.
func (a *Archive) LastDuration() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *Archive) run(ctx context.Context) (scheduler.Result, error) {
	res, err := a.Backup(ctx)
	if res == nil {
		return scheduler.Result{}, err
	}
	if log := a.options.archive.Log; log != nil {
		for _, w := range res.Warnings {
			log.Warn(w)
		}
		if len(res.Damaged) > 0 {
			log.Error("log files of the source are damaged, and archived unchanged", "files", res.Damaged)
		}
	}
	done := scheduler.Result{Files: int64(res.Sent), Bytes: res.SentBytes}
	if res.Committed && res.Snapshot != nil {
		done.Snapshot = res.Snapshot.Sequence
	}
	return done, err
}

// newest returns when the newest snapshot was made.
func (a *Archive) newest(ctx context.Context) (time.Time, error) {
	all, err := a.list(ctx, 1)
	if errors.Is(err, archive.ErrNoArchive) || err == nil && len(all) == 0 {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return all[0].Created, all[0].Err
}
