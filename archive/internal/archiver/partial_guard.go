package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// needEnds requires the pages with the last closed file of each sequence, which the guards compare with the source. It
// reports whether there are others than those that were read.
func (r *backupRun) needEnds() (isMore bool) {
	type end struct {
		name string
		page int // -1: it was read
	}
	p, ends := r.partial, map[string]end{}
	note := func(name string, page int) {
		group, _, ok := r.src.Layout.Position(name)
		if is, isKnown := ends[group]; ok && (!isKnown || r.src.Layout.Compare(is.name, name) < 0) {
			ends[group] = end{name, page}
		}
	}
	for i := range p.m.Files {
		if f := &p.m.Files[i]; f.State == manifest.Closed {
			note(f.Name, -1)
		}
	}
	for i := range p.isRead {
		if p.isRead[i] {
			continue
		}
		for _, f := range p.block(i, r.src.Capture.Files) {
			note(f.Name, i)
		}
	}
	for _, e := range ends {
		if e.page >= 0 {
			p.isRead[e.page], isMore = true, true
		}
	}
	return isMore
}

// needNeighbours requires the pages with the files before and after those that a plan changes, and reports whether
// there are others than those that were read. The header of a log file shows where the file before it ends.
func (r *backupRun) needNeighbours(plan *values.Plan) bool {
	if !r.src.Layout.ChecksEntries() {
		return false
	}
	p, files, numbers := r.partial, r.src.Capture.Files, map[uint64]bool{}
	for i := range plan.Upload {
		_, n, _ := r.src.Layout.Position(plan.Upload[i].Name)
		numbers[n-1], numbers[n+1] = true, true
	}
	if len(numbers) == 0 {
		return false
	}
	isMore := false
	for i := range p.isRead {
		isNeighbour := func(f source.File) bool { _, n, _ := r.src.Layout.Position(f.Name); return numbers[n] }
		if !p.isRead[i] && slices.ContainsFunc(p.block(i, files), isNeighbour) {
			p.isRead[i], isMore = true, true
		}
	}
	return isMore
}

// checkPartial is CheckContinuation for a run with a partial base, which has an intact page: the source has a closed
// file of the base. What a guard finds is decided, and described, with the whole base.
func (r *backupRun) checkPartial(ctx context.Context, plan *values.Plan) error {
	base := r.partial.m
	err := guard.CheckRollback(r.src.Capture.Files, r.src.Layout, base)
	if err == nil && len(plan.Removed) > 0 && guard.IsAppended(r.src.Layout) {
		if err = r.src.CheckMissing(); r.mayBeMissing(base) {
			err = values.ErrMissingFiles
		}
	}
	if err == nil {
		err = r.src.CheckFork(ctx, plan)
	}
	var refusal *values.Refusal
	if errors.Is(err, values.ErrRolledBack) || errors.Is(err, values.ErrMissingFiles) || errors.As(err, &refusal) {
		return repo.ErrNeedsWhole
	}
	if err != nil {
		return err
	}
	return r.checkUnread(ctx)
}

// mayBeMissing reports whether a directory lost all of those closed files whose entries were read, or the source lost
// more than half of all: whether that is an error depends on entries that were not read.
func (r *backupRun) mayBeMissing(base *manifest.Manifest) bool {
	p, closed, gone := r.partial, 0, 0
	for i, isRead := range p.isRead {
		if !isRead {
			closed += p.rows[i+1] - p.rows[i]
		}
	}
	for _, d := range r.src.CountFiles() {
		if d.Closed > 0 && d.Gone == d.Closed {
			return true
		}
		closed, gone = closed+d.Closed, gone+d.Gone
	}
	return 2*gone > closed
}

// checkUnread lists the archive's pages and returns ErrNeedsWhole if one that was not read is missing or has another
// size: the new snapshot would name it, too. Each process does so once. A page that is lost later is a verification's
// to find.
func (r *backupRun) checkUnread(ctx context.Context) error {
	p := r.partial
	if r.repo.HasListedPages(p.seen.Archive) {
		return nil
	}
	missing := map[string]int64{}
	for i, isRead := range p.isRead {
		if !isRead {
			missing[p.m.Pages[i].Object] = p.m.Pages[i].Stored.Size
		}
	}
	for o, err := range r.repo.Store.List(ctx, manifest.PagesPrefix, "", "") {
		if err != nil {
			return fmt.Errorf("listing the pages that snapshot %d names: %w", p.m.Sequence, err)
		}
		if size, ok := missing[o.Key]; ok && size == o.Size {
			delete(missing, o.Key)
		}
	}
	if len(missing) > 0 {
		return repo.ErrNeedsWhole
	}
	r.repo.NoteListedPages(p.seen.Archive)
	return nil
}
