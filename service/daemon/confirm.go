package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

// taskBackup is the name of the job that makes snapshots, for users and the API. Its scheduler.Job has an empty
// task.
const taskBackup = web.TaskBackup

// Confirm implements web.Backend. The next run of the job that the guard stopped uses the confirmation, and begins
// as soon as possible.
func (d *Daemon) Confirm(name, confirmation string) (runID string, err error) {
	c, err := archive.ParseConfirmation(confirmation)
	if err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrMalformed, err)
	}
	k := d.managedArchive(name)
	if k == nil {
		return "", fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	task, ok := k.refusals.accept(c, d.o.Now().Round(0))
	if !ok {
		return "", fmt.Errorf("%s of %s: %w", c, name, web.ErrNotPending)
	}
	// A run that is already waiting uses the confirmation, too, since it has not begun.
	if _, err := d.service.TriggerTask(name, task); err != nil && !errors.Is(err, scheduler.ErrBusy) {
		return "", fmt.Errorf("the confirmation is stored, and the next run uses it: %w", err)
	}
	return d.runID(), nil
}

// guarded makes one run of a job with the operators' confirmations for it. It records the refusal that ends the
// run, and drops all refusals after a success.
func (k *managedArchive) guarded(ctx context.Context, task string, run func(archive.Acceptance) error) error {
	carried := k.refusals.carry(task)
	log := k.d.o.Log.With("archive", k.name, "task", cmp.Or(task, taskBackup))
	if len(carried.Confirmed) > 0 {
		log.Info("this run uses an operator's confirmations", "confirmations", fmt.Sprint(carried.Confirmed))
	}
	err := run(carried)
	if err != nil && ctx.Err() != nil {
		return err // a stopped run gives no information about the archive
	}
	isNew := k.refusals.ended(task, carried, err, k.d.o.Now().Round(0))
	if refused, ok := errors.AsType[*archive.Refusal](err); ok && isNew {
		log.Warn("a guard refuses this until an operator accepts the finding", "guard", refused.Guard,
			"found", refused, "accept_with", acceptCommand(k.name, refused.Confirmation.String()))
	}
	return err
}

// acceptCommand is the command that accepts a refusal.
func acceptCommand(name, confirmation string) string {
	return fmt.Sprintf("strongroom confirm %s %s", name, confirmation)
}

// acceptHint returns a line for a notification that explains how to accept the finding that stops a task. It is
// empty if nothing waits for a confirmation.
func acceptHint(a *web.Archive, task string) string {
	for _, c := range a.NeedsConfirmation {
		if c.Task == task && c.Confirmed.IsZero() {
			return fmt.Sprintf("\nTo accept this once: %s, or the status page.", acceptCommand(a.Name, c.Confirmation))
		}
	}
	return ""
}

// aboutOf returns a text that is equal for configurations with the same archive, source and node.
func aboutOf(one *config.Archive) string {
	return fmt.Sprintf("%s from %s at %s", providers.Place(one.Destination), one.Source.Dir, one.Node)
}

// refusalsOf returns an archive's refusals: those of the predecessor was if it has the same archive, source and
// node, otherwise those that were kept.
func (d *Daemon) refusalsOf(one *config.Archive, was *managedArchive, kept keptRefusals) *refusals {
	about, name := aboutOf(one), one.Name
	if was != nil && was.refusals.about == about {
		return was.refusals
	}
	if was != nil {
		was.refusals.retire()
	}
	return newRefusals(about, kept, func(kept keptRefusals) {
		d.state.Save(refusalsFile(name), kept, func(err error) {
			d.o.Log.Warn("cannot save the state of confirmations; it is lost at a restart", "archive", name, "error", err)
		})
	})
}

// refusesOnly drops the refusals of jobs that were removed.
func (k *managedArchive) refusesOnly(jobs []scheduler.Job) {
	var tasks []string
	for i := range jobs {
		tasks = append(tasks, jobs[i].Task)
	}
	k.refusals.only(tasks)
}

// shown returns the refusals for the page and the API, backup first. The jobs are all jobs of the archive. A
// refusal is included only if its job counts as failed, so that both appear at the same time.
func (r *refusals) shown(jobs ...scheduler.JobStatus) []web.Confirmation {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []web.Confirmation
	for _, task := range slices.Sorted(maps.Keys(r.jobs)) {
		failing := func(j scheduler.JobStatus) bool { return j.Task == task && j.FailuresInRow > 0 }
		j := r.jobs[task]
		c, err := archive.ParseConfirmation(j.Confirmation)
		if err != nil || !slices.ContainsFunc(jobs, failing) {
			continue
		}
		all = append(all, web.Confirmation{
			Confirmation: j.Confirmation, Guard: string(c.Guard), Task: cmp.Or(task, taskBackup),
			Detail: j.Detail, Since: j.Since, Confirmed: j.Accepted[j.Confirmation],
		})
	}
	return all
}

// runID returns a new id for a requested run.
func (d *Daemon) runID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return fmt.Sprintf("%s-%d", d.o.Now().UTC().Format("20060102T150405Z"), d.asked)
}
