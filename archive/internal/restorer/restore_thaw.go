package restorer

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// thawFirst thaws what a restore reads, before it changes the target. Without options it returns a FrozenError. It
// requests the state of a few objects alone if none of them is frozen. So a restore of an archive that was never frozen
// takes a few requests more, and one of thousands of objects does not take thousands more. restoreFiles thaws what was
// missed, and what was frozen again since.
func thawFirst(
	ctx context.Context, a *repo.Repo, m *manifest.Manifest, dir string, files []manifest.File, in restoredir.Options, o *values.ThawOptions,
) error {
	if !thaw.IsPossible(a.Objects) {
		return nil
	}
	needed := restoredir.Lacking(dir, files)
	if !thaw.IsAnyFrozen(ctx, a.Objects, thaw.ObjectReads(a.NewSlots(), needed)) {
		return context.Cause(ctx)
	}
	// Nothing is locked during the hours of a thaw. So what would refuse the target refuses it before.
	if _, err := restoredir.Preview(ctx, dir, m, files, in); err != nil {
		return err
	}
	if o != nil {
		var bytes int64
		for i := range needed {
			bytes += needed[i].Size
		}
		if free := freeAt(dir); free >= 0 && free < bytes {
			return fmt.Errorf("%w: %s needs %.1f MiB more and has %.1f MiB free",
				restoredir.ErrNoSpace, dir, float64(bytes)/(1<<20), float64(free)/(1<<20))
		}
	}
	return thaw.Files(ctx, a.Objects, needed, o)
}

// retryFrozen thaws what the restore has met frozen, and restores the files that need it.
func (r *restoreRun) retryFrozen(ctx context.Context) error {
	most := thaw.ThawFailures
	if r.thaw == nil {
		most = 1 // nothing was requested that would take time
	}
	for tries := 0; tries < most; tries++ {
		again, frozen := r.frozenRuns()
		if len(again) == 0 {
			return nil
		}
		if err := r.thawMore(ctx, frozen); err != nil {
			return err
		}
		if err := r.fetchRuns(ctx, again); err != nil {
			return err
		}
		if tries > 0 {
			// A service may refuse reads for minutes after it has reported an object as thawed.
			if err := objects.LongPause(ctx, tries); err != nil {
				return err
			}
		}
		if left, _ := r.frozenRuns(); len(left) < len(again) {
			tries = 0
		}
	}
	if _, frozen := r.frozenRuns(); len(frozen) > 0 {
		return r.stillFrozen(ctx, frozen)
	}
	return nil
}

// thawMore thaws what the restore has met frozen. The time that it takes is none of the restore.
func (r *restoreRun) thawMore(ctx context.Context, files []manifest.File) error {
	began := time.Now()
	defer func() { r.thawing += time.Since(began) }()
	return thaw.Files(ctx, r.repo.Objects, files, r.thaw)
}

// frozenRuns returns the runs of the files that could not be read because an object must be thawed, and these files.
func (r *restoreRun) frozenRuns() (runs [][]int, frozen []manifest.File) {
	var all []int
	for i, o := range r.outcomes {
		if o == isFrozen {
			all, frozen = append(all, i), append(frozen, r.files[i])
		}
	}
	for _, run := range objects.GroupByBundle(frozen) {
		for k, i := range run {
			run[k] = all[i]
		}
		runs = append(runs, run)
	}
	return runs, frozen
}

// stillFrozen returns the error for files that the service calls frozen when they are read, and thawed otherwise.
func (r *restoreRun) stillFrozen(ctx context.Context, files []manifest.File) error {
	if err := thaw.Files(ctx, r.repo.Objects, files, nil); err != nil {
		return err
	}
	return fmt.Errorf("%s: the service reports it as thawed, and refuses to return it: %w",
		files[0].Parts[0].Object, store.ErrFrozen)
}
