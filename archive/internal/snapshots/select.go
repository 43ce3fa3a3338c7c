package snapshots

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// until returns the last instant that At includes. Listings show whole seconds, and a user who copies a time
// from a listing means the snapshot listed with it.
func until(s values.Selector) time.Time {
	if s.At.Nanosecond() == 0 {
		return s.At.Add(time.Second - 1)
	}
	return s.At
}

// Snapshot implements the method of archive.Archive.
func Snapshot(ctx context.Context, a *repo.Repo, which values.Selector) (*manifest.Manifest, error) {
	return snapshot(ctx, a, which, repo.AllPages)
}

// SnapshotOf implements the method of archive.Archive.
func SnapshotOf(ctx context.Context, a *repo.Repo, which values.Selector, names []string) (*manifest.Manifest, error) {
	return snapshot(ctx, a, which, repo.PagesOf(names))
}

// SnapshotFor implements the method of archive.Archive.
func SnapshotFor(ctx context.Context, a *repo.Repo, which values.Selector, include []string) (*manifest.Manifest, error) {
	return snapshot(ctx, a, which, repo.PagesFor(include))
}

func snapshot(ctx context.Context, a *repo.Repo, which values.Selector, needed repo.PageChoice) (*manifest.Manifest, error) {
	defer a.Begin()()
	var s *repo.Snapshot
	err := a.RetryWhilePruned(ctx, func() error {
		return objects.InAnyOrder(func() (err error) {
			s, err = snapshotOnce(ctx, a, which, needed)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return s.Manifest, nil
}

func snapshotOnce(ctx context.Context, a *repo.Repo, which values.Selector, needed repo.PageChoice) (*repo.Snapshot, error) {
	h, hasManifests, err := a.ReadHead(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { a.LogIgnored(h) }()
	if !hasManifests {
		if !h.Exists() {
			return nil, a.Nothing(ctx)
		}
		return nil, a.NoSnapshot(ctx, h)
	}
	n, err := Resolve(ctx, a, h, which)
	if err != nil {
		return nil, err
	}
	s, ref, err := readValid(ctx, a, h, n, needed)
	if errors.Is(err, values.ErrDamaged) && which.Sequence == 0 {
		s, ref, err = readOlder(ctx, a, h, n, err, needed)
	}
	if err != nil {
		return nil, err
	}
	if h.IDLost {
		a.Log.Warn("the archive is read without its id", "error", values.ErrLostID)
	}
	var newest *manifest.Ref
	if h.ID != nil && which == (values.Selector{}) {
		newest = &ref
	}
	a.RememberSeen(ctx, s.Manifest.Archive, newest)
	return s, nil
}

// Newest implements the method of archive.Archive.
func Newest(ctx context.Context, a *repo.Repo) (*manifest.Manifest, error) {
	defer a.Begin()()
	h, err := a.Load(ctx)
	switch {
	case err != nil:
		return nil, err
	case h.Base != nil:
		return h.Base.Manifest, nil
	case h.Parent != nil:
		return nil, fmt.Errorf("none of the snapshots is readable: %w", values.ErrDamaged)
	case !h.Exists():
		return nil, a.Nothing(ctx)
	}
	return nil, a.NoSnapshot(ctx, h)
}

func Resolve(ctx context.Context, a *repo.Repo, h *repo.Head, which values.Selector) (int64, error) {
	if !which.At.IsZero() {
		return resolveTime(ctx, a, which)
	}
	some := false
	for f, err := range a.Manifests(ctx, h) {
		some = true
		switch {
		case err != nil:
			return 0, err
		case which.Sequence > f.Number:
			return 0, fmt.Errorf("%w: %s", values.ErrNoSnapshot, which)
		case !h.Record.ValidNumber(f.Number):
		case which.Sequence == 0 || which.Sequence == f.Number:
			return f.Number, nil
		}
	}
	if !some {
		return 0, a.NoSnapshot(ctx, h)
	}
	return 0, fmt.Errorf("%w: %s", values.ErrNoSnapshot, which)
}

func resolveTime(ctx context.Context, a *repo.Repo, which values.Selector) (int64, error) {
	var found int64
	var unreadable *values.UnreadableError
	err := walk(ctx, a, 0, func(batch []values.Snapshot) bool {
		for i := range batch {
			if errors.Is(batch[i].Err, repo.ErrForeignManifest) {
				continue
			}
			s := &batch[i]
			switch {
			case s.Err != nil && unreadable == nil:
				err := fmt.Errorf("snapshot %d may be the one: %w", s.Sequence, s.Err)
				unreadable = &values.UnreadableError{Sequence: s.Sequence, Err: err}
			case s.Err == nil && !repo.Effective(s).After(until(which)):
				found = s.Sequence
				return false
			}
		}
		return true
	})
	if err == nil && unreadable != nil {
		unreadable.Older, err = found, unreadable
	}
	if err == nil && found == 0 {
		err = fmt.Errorf("%w: none was made by %s", values.ErrNoSnapshot, which)
	}
	return found, err
}
