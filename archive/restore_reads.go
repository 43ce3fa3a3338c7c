package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// RestoreReads returns what a restore of all files of a snapshot reads, as a dry run of Restore does. It reads no content.
// For the classes it sends about a request for each object, or fewer: it lists where the snapshot's objects are close
// together. If there are more than most objects, it reads no classes; 0 sets no bound. Of many objects, it takes those
// for frozen that were thawed for some days.
func (a *Archive) RestoreReads(ctx context.Context, m *manifest.Manifest, most int) (values.ReadPlan, error) {
	defer a.repo.Begin()()
	m, err := a.repo.WithPages(ctx, m, repo.AllPages)
	if err != nil {
		return values.ReadPlan{}, err
	}
	return thaw.PlanReads(ctx, a.repo.Objects, thaw.ObjectReads(a.repo.NewSlots(), m.Files), most, nil)
}

// preview fills in what a restore of some files reads, and what must be thawed for that. It calls each with every
// object, unless each is nil.
func (a *Archive) preview(ctx context.Context, files []manifest.File, each func(values.ObjectRead), res *RestoreResult) error {
	reads := thaw.ObjectReads(a.repo.NewSlots(), files)
	keys := objects.SortedKeys(reads)
	hasClasses, err := thaw.TryClassify(ctx, a.repo.Objects, reads, keys)
	if err != nil {
		return err
	}
	states, err := thaw.ReadStates(ctx, a.repo.Objects, reads)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.repo.Log.Warn("which objects must be thawed is not known exactly", "error", err)
	}
	res.Thaw = thaw.PlanThaw(a.repo.Store, states)
	res.ReadPlan = thaw.SumReads(reads, keys, each)
	res.ClassesUnknown = !hasClasses
	switch {
	case !thaw.IsPossible(a.repo.Objects):
	case !hasClasses:
		res.ThawUnknown = "the storage classes of the objects cannot be read"
	case err != nil:
		res.ThawUnknown = "the attributes of the objects cannot be read"
	}
	return nil
}
