package archive

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// thawChecks is the number of objects whose state a restore requests before it begins.
const thawChecks = 16

// thawFirst thaws what a restore reads, before it changes the target. Without options it returns a FrozenError. It
// requests the state of a few objects alone if none of them is frozen. So a restore of an archive that was never frozen
// takes a few requests more, and one of thousands of objects does not take thousands more. restoreFiles thaws what was
// missed, and what was frozen again since.
func (a *Archive) thawFirst(
	ctx context.Context, m *manifest.Manifest, dir string, files []manifest.File, in restoredir.Options, o *ThawOptions,
) error {
	if !a.canThaw() {
		return nil
	}
	needed := restoredir.Lacking(dir, files)
	if !a.isAnyFrozen(ctx, objectReads(a.newSlots(), needed)) {
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
				ErrNoSpace, dir, float64(bytes)/(1<<20), float64(free)/(1<<20))
		}
	}
	return a.thawFiles(ctx, needed, o)
}

// canThaw reports whether the store can thaw objects.
func (a *Archive) canThaw() bool {
	_, ok := a.store.(store.Thawer)
	return ok
}

// thawMore thaws what a running restore has met frozen, and adds the time to res, which is none of the restore.
func (a *Archive) thawMore(ctx context.Context, files []manifest.File, o *ThawOptions, res *RestoreResult) error {
	began := time.Now()
	defer func() { res.thawing += time.Since(began) }()
	return a.thawFiles(ctx, files, o)
}

// isAnyFrozen requests the state of a few objects, evenly spread, and reports whether one must be thawed, or was thawed
// for some days. What cannot be read is left to the restore, which reports the error.
//
// A class alone proves nothing (readDisputed has the reason). So a read must be refused, too.
func (a *Archive) isAnyFrozen(ctx context.Context, reads map[string]*ObjectRead) bool {
	keys := sortedKeys(reads)
	step := max(1, (len(keys)+thawChecks-1)/thawChecks)
	var states []*thawState
	for i := 0; i < len(keys); i += step {
		states = append(states, &thawState{object: store.Object{Key: keys[i]}})
	}
	read := func(ctx context.Context, s *thawState) error { return a.readThaw(ctx, s) }
	if err := eachAtOnce(ctx, a.transfers, states, read); err != nil && ctx.Err() == nil {
		a.log.Debug("whether objects must be thawed is not known", "error", err)
	}
	if slices.ContainsFunc(states, func(s *thawState) bool { return !s.object.ThawedUntil.IsZero() }) {
		return true
	}
	for _, s := range states {
		if s.object.Frozen == "" {
			continue
		}
		cold, err := a.isCold(ctx, s.object.Frozen, s.object.Key)
		if err != nil && ctx.Err() == nil {
			a.log.Debug("whether objects must be thawed is not known", "error", err)
		}
		if cold {
			return true
		}
	}
	return false
}

// frozenRuns returns the runs of the files that could not be read because an object must be thawed, and these files.
func frozenRuns(files []manifest.File, outcomes []outcome) (runs [][]int, frozen []manifest.File) {
	var all []int
	for i, o := range outcomes {
		if o == isFrozen {
			all, frozen = append(all, i), append(frozen, files[i])
		}
	}
	for _, run := range groupByBundle(frozen) {
		for k, i := range run {
			run[k] = all[i]
		}
		runs = append(runs, run)
	}
	return runs, frozen
}

// stillFrozen returns the error for files that the service calls frozen when they are read, and thawed otherwise.
func (a *Archive) stillFrozen(ctx context.Context, files []manifest.File) error {
	if err := a.thawFiles(ctx, files, nil); err != nil {
		return err
	}
	return fmt.Errorf("%s: the service reports it as thawed, and refuses to return it: %w",
		files[0].Parts[0].Object, store.ErrFrozen)
}
