package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

var _ web.Backend = (*Daemon)(nil)

// Archives implements web.Backend.
func (d *Daemon) Archives() []web.Archive {
	jobs, tasks := map[string]scheduler.JobStatus{}, map[string][]scheduler.JobStatus{}
	for _, j := range d.service.Status().Jobs {
		if j.Task == "" {
			jobs[j.Name] = j
		} else {
			tasks[j.Name] = append(tasks[j.Name], j)
		}
	}
	now, failures := d.o.Now(), d.undelivered()
	var all []web.Archive
	for _, k := range d.all() {
		j := jobs[k.name]
		a := k.state(&j, tasks[k.name], now)
		a.NotifyFailed = failures[k.name]
		all = append(all, a)
	}
	return all
}

// Archive implements web.Backend.
func (d *Daemon) Archive(name string) (web.Archive, error) {
	k := d.managedArchive(name)
	if k == nil {
		return web.Archive{}, fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	var job scheduler.JobStatus
	var tasks []scheduler.JobStatus
	for _, j := range d.service.JobsOf(name) {
		if j.Task == "" {
			job = j
		} else {
			tasks = append(tasks, j)
		}
	}
	return k.state(&job, tasks, d.o.Now()), nil
}

// look finds an archive and opens it.
func (d *Daemon) look(ctx context.Context, name string) (*managedArchive, *archive.Archive, error) {
	k := d.managedArchive(name)
	if k == nil {
		return nil, nil, fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	to, err := k.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return k, to.Archive, nil
}

// Snapshots implements web.Backend. It returns the newest maxListed snapshots.
func (d *Daemon) Snapshots(ctx context.Context, name string) ([]web.Snapshot, error) {
	k, a, err := d.look(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := k.snapshots.snapshots(ctx, a, d.o.Now())
	if err == nil {
		k.noteListed(all)
	}
	return all, err
}

// Snapshot implements web.Backend.
func (d *Daemon) Snapshot(ctx context.Context, name string, sequence int64, files web.Range) (web.SnapshotFiles, error) {
	k, a, err := d.look(ctx, name)
	if err != nil {
		return web.SnapshotFiles{}, err
	}
	m, err := k.snapshots.manifest(ctx, a, sequence)
	if err != nil {
		return web.SnapshotFiles{}, err
	}
	out := withFiles(m, files)
	// Holds are recorded in the ledger, which the listing includes, and not in the manifest.
	all, err := k.snapshots.snapshots(ctx, a, d.o.Now())
	for i := range all {
		if err == nil && all[i].Sequence == sequence {
			out.Held = all[i].Held
		}
	}
	return out, nil
}

// Diff implements web.Backend.
func (d *Daemon) Diff(ctx context.Context, name string, from, to int64, names int) (web.Diff, error) {
	k, a, err := d.look(ctx, name)
	if err != nil {
		return web.Diff{}, err
	}
	before, err := k.snapshots.manifest(ctx, a, from)
	if err != nil {
		return web.Diff{}, err
	}
	after, err := k.snapshots.manifest(ctx, a, to)
	if err != nil {
		return web.Diff{}, err
	}
	return difference(before, after, names), nil
}

// Trigger implements web.Backend.
func (d *Daemon) Trigger(name, task string) (runID string, err error) {
	if !d.pauses.get(name).Since.IsZero() && d.managedArchive(name) != nil {
		return "", fmt.Errorf("%s: %w", name, web.ErrPaused)
	}
	job := task
	if task == web.TaskBackup {
		job = ""
	}
	err = d.service.TriggerIdle(name, job)
	switch {
	case errors.Is(err, scheduler.ErrNoJob) && d.managedArchive(name) != nil:
		return "", fmt.Errorf("%s: %w", name, web.ErrNoTask)
	case errors.Is(err, scheduler.ErrNoJob):
		return "", fmt.Errorf("%s: %w", name, web.ErrNotFound)
	case errors.Is(err, scheduler.ErrBusy):
		return "", web.ErrBusy
	case err != nil:
		return "", err
	}
	return d.runID(), nil
}
