package archive

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sync/errgroup"
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

// RestoreResult is what a restore did.
type RestoreResult struct {
	Files    int   // the number of files to restore, including those already present
	Bytes    int64 // the plain size of these files
	Fetched  int   // files that were fetched
	Skipped  int   // files whose content in the target was right already, and which were kept
	Replaced int   // files with the right content that were replaced: others own, may write or share them
	Requests int   // in a dry run: the reads that the files need at most
	// ReadPlan is in a dry run what is read if the target has none of the files. A store without storage classes is not
	// searched for missing objects.
	values.ReadPlan
	Thaw *values.ThawPlan // in a dry run: what must be thawed, if the target has none of the files; nil if nothing must
	// ThawUnknown is in a dry run why it is not known, or not exactly, what must be thawed; empty if it is.
	ThawUnknown string
	Free        int64    // in a dry run: the free bytes on the target's file system; -1 if unknown
	Damaged     []string // files that were damaged when they were archived
	// FetchedBytes is the plain size of the fetched files, and Took how long it took until all files were durable,
	// without the wait for thaws.
	FetchedBytes int64
	Took         time.Duration
	Removed      []string // extra files that were deleted, or would be in a dry run
	// Continued are the snapshots whose interrupted restores this one continued, the last one last.
	Continued []Begun
}

// Begun is a snapshot whose restore began in a directory and did not end. Its Sequence is 0 if the marker of that
// restore cannot be read.
type Begun = restoredir.Begun

// Restore writes the files of a snapshot to a directory. It fetches several files at once, and gives each its
// name only after its content was checked and made durable. A new directory appears once it is complete. An
// existing one contains the file RESTORE-INCOMPLETE while files are missing. After a failure, the same call
// with the same options continues the restore, also with a newer snapshot. Of two restores into one directory, one
// gets ErrOccupied, also if they are on two hosts.
//
// If a database runs in the directory or around it, Restore writes nothing; if the database starts later, Restore
// stops. The error is then ErrInUse. Other errors: ErrBadTarget, ErrOverlap, ErrNoFile, ErrOccupied, ErrNoSpace,
// ErrDamaged.
//
// The local state has the rate at which files were restored; see Measurements.
func (a *Archive) Restore(ctx context.Context, m *manifest.Manifest, dir string, o values.RestoreOptions) (*RestoreResult, error) {
	if err := a.repo.CheckTarget(dir); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return a.restoreAs(ctx, m, dir, cost.Restore, o)
}

// restoreAs is Restore. kind is that of its measurement.
func (a *Archive) restoreAs(ctx context.Context, m *manifest.Manifest, dir, kind string, o values.RestoreOptions) (*RestoreResult, error) {
	defer a.repo.Begin()()
	needed := repo.PagesFor(o.Include)
	if !isVacant(dir) {
		needed = repo.AllPages // a file in the target may be any of the snapshot's
	}
	m, err := a.repo.WithPages(ctx, m, needed)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	files, err := repo.SelectFiles(m.Files, o.Include)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	res := a.describeRestore(files)
	if scan.Entry(files, restoredir.IncompleteMarker) != nil {
		return res, fmt.Errorf("%s is a log file of snapshot %d and has the name of the marker of a restore; "+
			"restore the other files by patterns, and fetch this file separately", restoredir.IncompleteMarker, m.Sequence)
	}
	if err := a.repo.CanOpen(ctx, m, files, !o.DryRun); err != nil {
		return res, fmt.Errorf("restore: %w", a.repo.ExplainDamage(ctx, m, err))
	}
	in := restoredir.Options{Include: o.Include, Overwrite: o.Overwrite, DeleteExtra: o.DeleteExtra, Also: o.Also}
	if o.DryRun {
		res.Removed, err = restoredir.Preview(ctx, dir, m, files, in)
		res.Free = freeAt(dir)
		if err == nil {
			err = a.preview(ctx, files, o.Object, res)
		}
		return res, err
	}
	if there, err := restoredir.AlreadyThere(ctx, dir, files, in); err != nil || there {
		res.Skipped = len(files)
		return res, err
	}
	if err := a.thawFirst(ctx, m, dir, files, in, o.Thaw); err != nil {
		return res, fmt.Errorf("restore: %w", err)
	}
	t, err := restoredir.Open(ctx, dir, m, files, in)
	if err != nil {
		return res, fmt.Errorf("restore: %w", err)
	}
	defer t.Close()
	res.Continued = t.Continued()
	r := &restoreRun{repo: a.repo, dir: t, files: files, thaw: o.Thaw, res: res, outcomes: make([]outcome, len(files))}
	began := time.Now()
	err = r.restore(ctx)
	res.Took = time.Since(began) - r.thawing
	if err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: %w", restoredir.ErrNoSpace, err)
		}
		return res, fmt.Errorf("restore: %w", a.repo.ExplainDamage(ctx, m, err))
	}
	if measured, ok := res.measure(m, kind, began); ok {
		a.keepMeasurement(m.Archive, measured)
	}
	return res, nil
}

// restoreRun is one restore that writes to its target.
type restoreRun struct {
	repo     *repo.Repo
	dir      *restoredir.Dir
	files    []manifest.File
	thaw     *values.ThawOptions // nil: nothing is thawed
	res      *RestoreResult
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
	g, running := errgroup.WithContext(ctx)
	s := r.repo.NewSlots()
	for _, run := range runs {
		if s.Acquire(running) != nil {
			break
		}
		g.Go(func() error {
			defer s.Release()
			return r.fetchRun(running, s, run)
		})
	}
	err := g.Wait()
	if err == nil {
		err = context.Cause(ctx) // the loop may have ended early without a failed file
	}
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
