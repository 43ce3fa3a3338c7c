package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Snapshot reads the whole manifest of one snapshot, with every entry in Files. If the newest is unreadable, it returns
// an UnreadableError and never an older snapshot: what cannot be read may be a true manifest that is damaged. It passes
// over a manifest that can be read and is another archive's. Errors: ErrNoArchive, ErrNoSnapshot, ErrDamaged.
func (a *Archive) Snapshot(ctx context.Context, which Selector) (*manifest.Manifest, error) {
	return a.snapshot(ctx, which, allPages)
}

// SnapshotOf is Snapshot for some files. It reads of the manifest's pages only those that can have one of the names, so
// that Files has the entries of these pages alone. A name that is not in Files is not in the snapshot. Everything that
// was read is checked as by Snapshot, except for the totals, which need all pages.
func (a *Archive) SnapshotOf(ctx context.Context, which Selector, names []string) (*manifest.Manifest, error) {
	return a.snapshot(ctx, which, pagesOf(names))
}

// SnapshotFor is SnapshotOf for the files that a Restore with RestoreOptions.Include writes. A pattern without a slash
// needs all pages if any directory may have such a file.
func (a *Archive) SnapshotFor(ctx context.Context, which Selector, include []string) (*manifest.Manifest, error) {
	return a.snapshot(ctx, which, pagesFor(include))
}

func (a *Archive) snapshot(ctx context.Context, which Selector, needed pageChoice) (*manifest.Manifest, error) {
	defer a.hold()()
	var s *snapshot
	err := a.retryWhilePruned(ctx, func() error {
		return inAnyOrder(func() (err error) {
			s, err = a.snapshotOnce(ctx, which, needed)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return s.m, nil
}

func (a *Archive) snapshotOnce(ctx context.Context, which Selector, needed pageChoice) (*snapshot, error) {
	h, hasManifests, err := a.readHead(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { a.logIgnored(h) }()
	if !hasManifests {
		if !h.exists() {
			return nil, a.nothing(ctx)
		}
		return nil, a.noSnapshot(ctx, h)
	}
	n, err := a.resolve(ctx, h, which)
	if err != nil {
		return nil, err
	}
	s, ref, err := a.readValid(ctx, h, n, needed)
	if errors.Is(err, ErrDamaged) && which.Sequence == 0 {
		s, ref, err = a.readOlder(ctx, h, n, err, needed)
	}
	if err != nil {
		return nil, err
	}
	if h.idLost {
		a.log.Warn("the archive is read without its id", "error", ErrLostID)
	}
	var newest *manifest.Ref
	if h.id != nil && which == (Selector{}) {
		newest = &ref
	}
	a.rememberSeen(ctx, s.m.Archive, newest)
	return s, nil
}

// Newest reads the whole newest readable manifest, and keeps it in memory for the next Backup and for
// Pending. Errors: ErrNoArchive, ErrNoSnapshot, ErrDamaged.
func (a *Archive) Newest(ctx context.Context) (*manifest.Manifest, error) {
	defer a.hold()()
	h, err := a.load(ctx)
	switch {
	case err != nil:
		return nil, err
	case h.base != nil:
		return h.base.m, nil
	case h.parent != nil:
		return nil, fmt.Errorf("none of the snapshots is readable: %w", ErrDamaged)
	case !h.exists():
		return nil, a.nothing(ctx)
	}
	return nil, a.noSnapshot(ctx, h)
}

func (a *Archive) resolve(ctx context.Context, h *head, which Selector) (int64, error) {
	if !which.At.IsZero() {
		return a.resolveTime(ctx, which)
	}
	some := false
	for f, err := range a.manifests(ctx, h) {
		some = true
		switch {
		case err != nil:
			return 0, err
		case which.Sequence > f.n:
			return 0, fmt.Errorf("%w: %s", ErrNoSnapshot, which)
		case !h.record.ValidNumber(f.n):
		case which.Sequence == 0 || which.Sequence == f.n:
			return f.n, nil
		}
	}
	if !some {
		return 0, a.noSnapshot(ctx, h)
	}
	return 0, fmt.Errorf("%w: %s", ErrNoSnapshot, which)
}

func (a *Archive) resolveTime(ctx context.Context, which Selector) (int64, error) {
	var found int64
	var unreadable *UnreadableError
	err := a.walk(ctx, 0, func(batch []Snapshot) bool {
		for i := range batch {
			if errors.Is(batch[i].Err, errForeignManifest) {
				continue
			}
			s := &batch[i]
			switch {
			case s.Err != nil && unreadable == nil:
				err := fmt.Errorf("snapshot %d may be the one: %w", s.Sequence, s.Err)
				unreadable = &UnreadableError{Sequence: s.Sequence, Err: err}
			case s.Err == nil && !s.effective().After(which.until()):
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
		err = fmt.Errorf("%w: none was made by %s", ErrNoSnapshot, which)
	}
	return found, err
}
