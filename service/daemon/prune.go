package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

func (k *managedArchive) pruneJob(one *config.Archive) scheduler.Job {
	k.use()
	r, location := *one.Retention, one.Location()
	return scheduler.Job{
		Name:     k.name,
		Task:     "prune",
		Schedule: schedule(r.Schedule, location),
		Version:  fmt.Sprintf("%s %+v", k.version, r),
		Jitter:   one.Jitter,
		OnDemand: r.Schedule == "",
		Run: k.withRemedy("prune", func(ctx context.Context) (scheduler.Result, error) {
			return k.prune(ctx, scheduledPrune(&r, location))
		}),
		Retired: k.retired,
	}
}

// scheduledPrune returns the options of a prune that runs without an operator.
func scheduledPrune(r *config.Retention, location *time.Location) archive.PruneOptions {
	policy := r.Policy(location)
	return archive.PruneOptions{Retention: &policy, Limit: r.PruneLimit, FirstRecord: true}
}

// youngest is the largest number of snapshots with which a ledger begins without an operator: the default limit
// allows a first prune to remove as many.
const youngest = 10

// beginLedger writes the first ledger record of a young archive whose retention the service applies. The limit of the
// first prune is relative to that record. Otherwise a schedule of seconds makes thousands of snapshots before that
// prune, and the limit treats them as a long history.
func (k *managedArchive) beginLedger(ctx context.Context, to *Archive, snapshot int64) {
	if snapshot > youngest || k.ledgerBegun.Load() || !k.prunes() {
		return
	}
	if _, err := to.Prune(ctx, archive.PruneOptions{FirstRecord: true}); err != nil {
		k.d.o.Log.Warn("cannot write the ledger's first record, which the limit of scheduled prunes needs",
			"archive", k.name, "error", err)
		return
	}
	k.ledgerBegun.Store(true)
}

// prunes reports whether the service prunes the archive under the configuration in force. k.settings may be older:
// k stays when the retention changes.
func (k *managedArchive) prunes() bool {
	c := k.d.Config()
	for i := range c.Archives {
		if one := &c.Archives[i]; one.Name == k.name {
			return one.Retention != nil && one.Retention.Schedule != ""
		}
	}
	return false
}

func (k *managedArchive) prune(ctx context.Context, o archive.PruneOptions) (scheduler.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Result{}, err
	}
	o.Waiting = k.refusals.pending("prune")
	var r *archive.PruneReport
	err = k.guarded(ctx, "prune", func(accepted archive.Acceptance) (err error) {
		o.Acceptance = accepted
		r, err = to.Prune(ctx, o)
		return err
	})
	k.snapshots.forget(r.Removed)
	k.notePrune(r, err)
	switch {
	case k.isNew(err):
		return scheduler.Result{Said: "there is nothing to prune yet"}, nil
	case err != nil:
		return scheduler.Result{}, err
	case r.Failed.All() > 0: // an early retry would not help: the next prune tries again
		k.d.o.Log.Error("some objects could not be deleted",
			"archive", k.name, "count", r.Failed.All(), "bytes", r.Failed.Bytes, "error", r.Failures[0])
	}
	for _, n := range r.Nested[:min(len(r.Nested), 10)] {
		k.d.o.Log.Warn("another archive lies within this one; objects below its prefix are not deleted: separate the two",
			"archive", k.name, "prefix", n.Prefix, "objects", n.Objects)
	}
	if r.Within != "" {
		k.d.o.Log.Warn("this archive lies within another one: separate the two", "archive", k.name, "other", r.Within)
	}
	said := fmt.Sprintf("the archive was pruned: %d snapshots removed, %d objects deleted, %s", len(r.Removed), r.Deleted.All(), web.Size(r.Deleted.Bytes))
	if n := r.Failed.All(); n > 0 {
		said += fmt.Sprintf("; %d objects could not be deleted, such as %s", n, r.Failures[0])
	}
	return scheduler.Result{Said: said}, nil
}
