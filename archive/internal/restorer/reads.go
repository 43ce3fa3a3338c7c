package restorer

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// RestoreReads implements the method of archive.Archive.
func RestoreReads(ctx context.Context, a *repo.Repo, m *manifest.Manifest, most int) (values.ReadPlan, error) {
	defer a.Begin()()
	m, err := a.WithPages(ctx, m, repo.AllPages)
	if err != nil {
		return values.ReadPlan{}, err
	}
	return thaw.PlanReads(ctx, a.Objects, thaw.ObjectReads(a.NewSlots(), m.Files), most, nil)
}

// preview fills in what a restore of some files reads, and what must be thawed for that. It calls each with every
// object, unless each is nil.
func preview(ctx context.Context, a *repo.Repo, files []manifest.File, each func(values.ObjectRead), res *values.RestoreResult) error {
	reads := thaw.ObjectReads(a.NewSlots(), files)
	keys := objects.SortedKeys(reads)
	hasClasses, err := thaw.TryClassify(ctx, a.Objects, reads, keys)
	if err != nil {
		return err
	}
	states, err := thaw.ReadStates(ctx, a.Objects, reads)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.Log.Warn("which objects must be thawed is not known exactly", "error", err)
	}
	res.Thaw = thaw.PlanThaw(a.Store, states)
	res.ReadPlan = thaw.SumReads(reads, keys, each)
	res.ClassesUnknown = !hasClasses
	switch {
	case !thaw.IsPossible(a.Objects):
	case !hasClasses:
		res.ThawUnknown = "the storage classes of the objects cannot be read"
	case err != nil:
		res.ThawUnknown = "the attributes of the objects cannot be read"
	}
	return nil
}
