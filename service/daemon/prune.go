package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service"
	"github.com/strongroom-dev/strongroom/service/web"
)

func (k *keeper) pruneJob(one *config.Archive) service.Job {
	k.use()
	r, location := *one.Retention, one.Location()
	return service.Job{
		Name:     k.name,
		Task:     "prune",
		Schedule: schedule(r.Schedule, location),
		Version:  fmt.Sprintf("%s %+v", k.version, r),
		Jitter:   one.Jitter,
		Run: func(ctx context.Context) (service.Result, error) {
			policy := r.Policy(location)
			return k.prune(ctx, archive.PruneOptions{Retention: &policy})
		},
		Retired: k.retired,
	}
}

func (k *keeper) prune(ctx context.Context, o archive.PruneOptions) (service.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return service.Result{}, err
	}
	r, err := to.Prune(ctx, o)
	k.pages.forget(r.Removed)
	switch {
	case (errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot)) && !k.had():
		return service.Result{Said: "there is nothing to prune yet"}, nil
	case err != nil:
		return service.Result{}, err
	case r.Failed.All() > 0: // trying again soon would not help: the next prune does
		k.d.o.Log.Error("some objects could not be deleted", "archive", k.name, "count", r.Failed.All(), "bytes", r.Failed.Bytes, "error", r.Failures[0])
	}
	said := fmt.Sprintf("the archive was pruned: %d snapshots removed, %d objects deleted, %s", len(r.Removed), r.Deleted.All(), web.Size(r.Deleted.Bytes))
	if n := r.Failed.All(); n > 0 {
		said += fmt.Sprintf("; %d objects could not be deleted, such as %s", n, r.Failures[0])
	}
	return service.Result{Said: said}, nil
}
