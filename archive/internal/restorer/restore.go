package restorer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Restore implements the method of archive.Archive.
func Restore(ctx context.Context, a *repo.Repo, m *manifest.Manifest, dir string, o values.RestoreOptions) (*values.RestoreResult, error) {
	if err := a.CheckTarget(dir); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return restoreAs(ctx, a, m, dir, cost.Restore, o)
}

// restoreAs is Restore. kind is that of its measurement.
func restoreAs(ctx context.Context, a *repo.Repo, m *manifest.Manifest, dir, kind string, o values.RestoreOptions) (*values.RestoreResult, error) {
	defer a.Begin()()
	needed := repo.PagesFor(o.Include)
	if !isVacant(dir) {
		needed = repo.AllPages // a file in the target may be any of the snapshot's
	}
	m, err := a.WithPages(ctx, m, needed)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	files, err := repo.SelectFiles(m.Files, o.Include)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	res := describeRestore(a, files)
	if scan.Entry(files, restoredir.IncompleteMarker) != nil {
		return res, fmt.Errorf("%s is a log file of snapshot %d and has the name of the marker of a restore; "+
			"restore the other files by patterns, and fetch this file separately", restoredir.IncompleteMarker, m.Sequence)
	}
	if err := a.CanOpen(ctx, m, files, !o.DryRun); err != nil {
		return res, fmt.Errorf("restore: %w", a.ExplainDamage(ctx, m, err))
	}
	in := restoredir.Options{Include: o.Include, Overwrite: o.Overwrite, DeleteExtra: o.DeleteExtra, Also: o.Also}
	if o.DryRun {
		res.Removed, err = restoredir.Preview(ctx, dir, m, files, in)
		res.Free = freeAt(dir)
		if err == nil {
			err = preview(ctx, a, files, o.Object, res)
		}
		return res, err
	}
	if there, err := restoredir.AlreadyThere(ctx, dir, files, in); err != nil || there {
		res.Skipped = len(files)
		return res, err
	}
	if err := thawFirst(ctx, a, m, dir, files, in, o.Thaw); err != nil {
		return res, fmt.Errorf("restore: %w", err)
	}
	t, err := restoredir.Open(ctx, dir, m, files, in)
	if err != nil {
		return res, fmt.Errorf("restore: %w", err)
	}
	defer t.Close()
	res.Continued = t.Continued()
	r := &restoreRun{repo: a, dir: t, files: files, thaw: o.Thaw, res: res, outcomes: make([]outcome, len(files))}
	began := time.Now()
	err = r.restore(ctx)
	res.Took = time.Since(began) - r.thawing
	if err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: %w", restoredir.ErrNoSpace, err)
		}
		return res, fmt.Errorf("restore: %w", a.ExplainDamage(ctx, m, err))
	}
	if measured, ok := measure(res, m, kind, began); ok {
		keepMeasurement(a, m.Archive, measured)
	}
	return res, nil
}

// restoreRun is one restore that writes to its target.
type restoreRun struct {
	repo     *repo.Repo
	dir      *restoredir.Dir
	files    []manifest.File
	thaw     *values.ThawOptions // nil: nothing is thawed
	res      *values.RestoreResult
	outcomes []outcome     // of files
	thawing  time.Duration // how long the restore waited for thaws
}

func (r *restoreRun) restore(ctx context.Context) error {
	if err := r.dir.Begin(ctx); err != nil {
		return err
	}
	err := r.restoreFiles(ctx)
	if err == nil {
		err = r.dir.CheckDistinct()
	}
	if err == nil {
		r.res.Removed, err = r.dir.RemoveExtra(ctx)
	}
	if errors.Is(err, restoredir.ErrInUse) {
		return errors.Join(err, r.dir.Unmark())
	}
	if err != nil {
		return err
	}
	return r.dir.Finish(ctx)
}

func (r *restoreRun) restoreFiles(ctx context.Context) error {
	var bytes int64
	for i := range r.files {
		bytes += r.files[i].Size
		if err := r.dir.MkdirAll(path.Dir(r.files[i].Name)); err != nil {
			return fmt.Errorf("making the directory of %s: %w", r.files[i].Name, err)
		}
	}
	objects.AddTotals(r.repo.Progress, len(r.files), bytes)
	err := r.fetchRuns(ctx, objects.GroupByBundle(r.files))
	if err == nil {
		err = r.retryFrozen(ctx)
	}
	for i, o := range r.outcomes {
		switch o {
		case wasFetched:
			r.res.Fetched++
			r.res.FetchedBytes += r.files[i].Size
		case wasRight:
			r.res.Skipped++
		case wasReplaced:
			r.res.Replaced++
		}
	}
	return err
}

// fetchRuns restores runs of files, and gives those that it has written their names.
func (r *restoreRun) fetchRuns(ctx context.Context, runs [][]int) error {
	s := r.repo.NewSlots()
	err := s.EachIndex(ctx, len(runs), func(ctx context.Context, i int) error { return r.fetchRun(ctx, s, runs[i]) })
	if commitErr := r.dir.Commit(ctx); err == nil {
		err = commitErr
	}
	return err
}

// outcome is the result for one file of a restore.
type outcome uint8

const (
	notDone outcome = iota
	wasRight
	wasReplaced
	wasFetched
	isFrozen // an object must be thawed first
)

// fetchRun restores files that are adjacent in one object, or a single file. It skips those that are right already.
func (r *restoreRun) fetchRun(ctx context.Context, s *objects.Slots, run []int) error {
	var missing []int
	for _, i := range run {
		right, err := r.dir.HasContent(ctx, &r.files[i])
		if err != nil {
			return err
		}
		if right {
			if err := r.dir.SyncFile(r.files[i].Name); err != nil {
				return err
			}
			r.repo.Progress.BytesDone.Add(r.files[i].Size)
			objects.FileDone(r.repo.Progress)
			r.outcomes[i] = wasRight
			isReplaced, err := r.dir.ReplaceShared(ctx, &r.files[i])
			if err != nil {
				return err
			}
			if isReplaced {
				r.outcomes[i] = wasReplaced
			}
			continue
		}
		missing = append(missing, i)
	}
	together := r.repo.OpenBundle(ctx, s, r.files, missing)
	defer together.Close()
	for _, i := range missing {
		f := &r.files[i]
		err := r.dir.WriteFile(ctx, f, func(to *disk.File) error { return together.Fetch(ctx, f, fileSink{to}) })
		if errors.Is(err, store.ErrFrozen) && thaw.IsPossible(r.repo.Objects) && ctx.Err() == nil {
			r.outcomes[i] = isFrozen
			continue
		}
		if err != nil {
			return err
		}
		r.outcomes[i] = wasFetched
		objects.FileDone(r.repo.Progress)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
