package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Archive on schedule until it is stopped",
		Long: `Make snapshots of every archive in the configuration on its schedule, until SIGINT or
SIGTERM. A snapshot that is overdue at the start is made at once; one that fails is tried
again after a second, then two, four, up to an hour.`,
		Args: exactArgs(0, "run"),
		RunE: func(c *cobra.Command, _ []string) error { return a.runService(c.Context()) },
	}
}

func (a *app) runService(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	defer a.ignoreHangup()()
	var jobs []service.Job
	var failed error
	for i := range c.Archives {
		one := &c.Archives[i]
		if one.Schedule == "" {
			a.log.Warn("this archive has no schedule and is left to strongroom backup", "archive", one.Name)
			continue
		}
		j, to, err := a.serviceJob(ctx, c, one)
		if err != nil {
			a.log.Error("this archive cannot be opened and is left out until the next start", "archive", one.Name, "error", err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.Name, err))
			continue
		}
		defer to.close(&err)
		jobs = append(jobs, j)
	}
	if len(jobs) == 0 && failed != nil {
		return failed
	}
	if len(jobs) == 0 {
		return usage("no archive in the configuration has a schedule, so there is nothing to run")
	}
	return service.New(service.Options{Log: a.log}, jobs).Run(ctx)
}

// ignoreHangup says that SIGHUP does nothing yet, until stop is called. It would otherwise
// end the service, and many a habit and many a unit file sends it.
func (a *app) ignoreHangup() (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
				a.log.Warn("SIGHUP is ignored: reloading the configuration is not in this version; restart the service instead")
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
	}
}

// serviceJob keeps an archive open for as long as the service runs, so that the newest
// manifest stays in memory. The source is opened for each run: it may be away for a while.
func (a *app) serviceJob(ctx context.Context, c *config.Config, one *config.Archive) (service.Job, *opened, error) {
	schedule, err := config.ParseSchedule(one.Schedule, one.Location())
	if err != nil {
		return service.Job{}, nil, err
	}
	to, err := a.openURL(ctx, one.Name, one.Destination, settingsOf(c, one))
	if err != nil {
		return service.Job{}, nil, err
	}
	return service.Job{
		Name:     one.Name,
		Schedule: schedule,
		Jitter:   one.Jitter,
		Run: func(ctx context.Context) (service.Result, error) {
			j := configured(c, one, archive.BackupOptions{})
			src, err := j.openSource()
			if err != nil {
				return service.Result{}, err
			}
			res, err := to.Backup(ctx, src, j.o)
			if res != nil {
				a.warn(one.Name, res)
			}
			if err != nil {
				return service.Result{}, err
			}
			r := service.Result{Files: int64(res.Sent), Bytes: res.SentBytes}
			if res.Committed {
				r.Snapshot = res.Snapshot.Sequence
			}
			return r, nil
		},
		Last: func(ctx context.Context) (time.Time, error) { return lastSnapshot(ctx, to) },
	}, to, nil
}

// lastSnapshot is when the newest snapshot was made, or the zero time.
func lastSnapshot(ctx context.Context, a *opened) (time.Time, error) {
	s, err := a.List(ctx, 1)
	if errors.Is(err, archive.ErrNoArchive) || (err == nil && len(s) == 0) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if s[0].Err != nil && !errors.Is(s[0].Err, archive.ErrDamaged) {
		return time.Time{}, s[0].Err // it may be readable the next time
	}
	return s[0].Created, nil // zero when it cannot be read: then a new one is due
}
