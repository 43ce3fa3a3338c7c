package snapshots

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// List implements the method of archive.Archive.
func List(ctx context.Context, a *repo.Repo, last int) ([]values.Snapshot, error) {
	defer a.Begin()()
	var all []values.Snapshot
	err := objects.InAnyOrder(func() error {
		all = nil
		return walk(ctx, a, last, func(s []values.Snapshot) bool {
			all = append(all, s...)
			return last <= 0 || len(all) < last
		})
	})
	if err != nil {
		return nil, err
	}
	if last > 0 && len(all) > last {
		all = all[:last]
	}
	if i := slices.IndexFunc(all, func(s values.Snapshot) bool { return s.Err == nil }); i >= 0 {
		a.RememberSeen(ctx, all[i].Archive, nil)
	}
	slices.Reverse(all)
	return all, nil
}

// walk reads summaries in batches, newest first, and calls more with each batch until it returns false. A
// positive want sets the size of the batches. The ledger is read after each batch, since a ledger that was
// read before a manifest proves nothing about that manifest.
//
// If something in the first batch looks forged, it begins again with archive.json, which names this archive.
func walk(ctx context.Context, a *repo.Repo, want int, more func([]values.Snapshot) bool) error {
	w := &walker{repo: a, want: want, more: more}
	if least := 4 * a.Transfers; want < least || want > objects.OnePage {
		w.size = least
	} else {
		w.size = want
	}
	err := w.run(ctx)
	if errors.Is(err, errSuspicious) {
		h, _, err := a.ReadHead(ctx)
		if err != nil {
			return err
		}
		w.h, w.isChecked = h, true
		err = w.run(ctx)
		a.LogIgnored(h) // the walk may have read the ledger again, into another head
		return err
	}
	return err
}

// errSuspicious: the first batch of summaries has something that no writer of the archive creates.
var errSuspicious = errors.New("the archive has manifests or records that may be forged")

// walker is one call of walk.
type walker struct {
	repo       *repo.Repo
	want, size int
	more       func([]values.Snapshot) bool
	h          *repo.Head
	isChecked  bool   // the head has archive.json, and decides which manifests count
	id         string // of the archive, by its manifests
}

func (w *walker) run(ctx context.Context) error {
	each := w.repo.Numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey)
	if w.want > 0 { // this finds the newest of a long history without listing its beginning
		each = w.repo.NewestNumbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey)
	}
	if w.isChecked {
		each = w.repo.Reach(ctx, w.h, each)
	}
	some := false
	var batch []repo.Numbered
	for f, err := range each {
		if err != nil {
			return err
		}
		if !w.isChecked && f.Number > manifest.MaxCounted {
			return errSuspicious
		}
		if some = true; w.h != nil && !w.h.Record.ValidNumber(f.Number) {
			continue
		}
		if batch = append(batch, f); len(batch) == w.size {
			if goOn, err := w.flush(ctx, batch); err != nil || !goOn {
				return err
			}
			batch = batch[:0]
		}
	}
	if !some {
		return empty(ctx, w.repo)
	}
	_, err := w.flush(ctx, batch)
	return err
}

// flush reads a batch and passes the valid ones on.
func (w *walker) flush(ctx context.Context, batch []repo.Numbered) (goOn bool, err error) {
	all, err := summaries(ctx, w.repo, batch)
	if err != nil {
		return false, err
	}
	first := w.h == nil
	if first {
		w.h = &repo.Head{}
	}
	s := slices.Clone(all)
	if len(s) > 0 {
		if s, w.h, err = w.repo.FilterValid(ctx, s, w.h); err != nil {
			return false, err
		}
	}
	if first && w.isSuspicious(all) {
		return false, errSuspicious
	}
	if w.isChecked && w.h.ID != nil {
		w.id = w.h.ID.ID
	}
	markForeign(s, w.id)
	return w.more(s), nil
}

// isSuspicious reports whether the greatest manifests or the ledger need archive.json to be judged.
func (w *walker) isSuspicious(first []values.Snapshot) bool {
	if w.h.Unread != nil || len(first) > 0 && first[0].Err != nil {
		return true
	}
	for i := range first {
		if first[i].Err == nil && first[i].Archive != first[0].Archive {
			return true
		}
	}
	if len(first) == 0 {
		return false
	}
	w.id = first[0].Archive
	return w.h.Record != nil && w.h.Record.Archive != w.id || !w.hasSupport(first)
}

// hasSupport reports whether the parent of the greatest manifest supports its number, and is among the first or not
// needed.
func (w *walker) hasSupport(first []values.Snapshot) bool {
	parent, isNear := w.h.SupportOf(&first[0].Summary)
	return isNear && (parent <= w.h.Anchor() ||
		slices.ContainsFunc(first, func(s values.Snapshot) bool { return s.Sequence == parent }))
}

// markForeign marks the manifests of another archive as unreadable.
func markForeign(all []values.Snapshot, id string) {
	for i := range all {
		if s := &all[i]; s.Err == nil && id != "" && s.Archive != id {
			err := fmt.Errorf("manifest %d: %w: %s", s.Sequence, repo.ErrForeignManifest, s.Archive)
			*s = values.Snapshot{Summary: manifest.Summary{Sequence: s.Sequence}, Err: err, Modified: s.Modified}
		}
	}
}

// empty returns nil if there is an archive that has no snapshot yet, and otherwise the error to report.
func empty(ctx context.Context, a *repo.Repo) error {
	h, _, err := a.ReadHead(ctx)
	switch {
	case err != nil:
		return err
	case h.BadID:
		return fmt.Errorf("%w: %s", values.ErrDamaged, strings.Join(h.Warnings, "; "))
	case !h.Exists():
		return a.Nothing(ctx)
	}
	return a.Emptied(ctx, h, 0)
}

func summaries(ctx context.Context, a *repo.Repo, batch []repo.Numbered) ([]values.Snapshot, error) {
	found := make([]values.Snapshot, len(batch))
	return found, objects.EachIndex(ctx, a.Transfers, len(batch), func(ctx context.Context, i int) error {
		found[i] = values.Snapshot{Modified: batch[i].Object.Modified}
		s, err := a.Summary(ctx, batch[i])
		switch {
		case err == nil:
			found[i].Summary = *s
		case ctx.Err() != nil:
			return err
		default:
			found[i].Sequence, found[i].Err = batch[i].Number, err
		}
		return nil
	})
}
