package snapshots

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// readValid reads a snapshot, and checks that the ledger still lists it and that it is this archive's.
func readValid(
	ctx context.Context, a *repo.Repo, h *repo.Head, n int64, needed repo.PageChoice,
) (*repo.Snapshot, manifest.Ref, error) {
	s, ref, err := a.ReadSnapshotOf(ctx, n, h.Record, needed)
	now := func() (*repo.Head, error) { return a.LedgerNow(ctx, h) }
	if err != nil {
		now = func() (*repo.Head, error) { return a.RereadLedger(ctx) }
	}
	if h, nowErr := now(); nowErr != nil {
		return nil, ref, errors.Join(err, nowErr)
	} else if !h.Record.ValidNumber(n) || (ref.Sequence != 0 && !h.Record.Valid(n, ref.SHA256) && !errors.Is(err, repo.ErrVoid)) {
		return nil, ref, fmt.Errorf("%w: the ledger has dropped snapshot %d", objects.ErrGone, n)
	}
	if err == nil && h.ID != nil && s.Manifest.Archive != h.ID.ID {
		return nil, ref, fmt.Errorf("manifest %d: %w: %s", n, repo.ErrForeignManifest, s.Manifest.Archive)
	}
	return s, ref, err
}

// readOlder is called when snapshot n was selected and why is the reason that it cannot be read. If n, and perhaps more
// below it, is another archive's, it returns the newest one that is not. Otherwise the error names the next older
// snapshot that can be read.
func readOlder(
	ctx context.Context, a *repo.Repo, h *repo.Head, n int64, why error, needed repo.PageChoice,
) (*repo.Snapshot, manifest.Ref, error) {
	failed := &values.UnreadableError{Sequence: n, Err: why}
	read, own := 0, 0 // foreign ones cost an outsider nothing, so that they do not count as own
	for f, err := range a.Manifests(ctx, h) {
		if err != nil {
			return nil, manifest.Ref{}, errors.Join(why, err)
		}
		if f.Number >= n || !h.Record.ValidNumber(f.Number) {
			continue
		}
		if read == repo.MostUnread || own == repo.MostAsked {
			break
		}
		s, ref, err := readValid(ctx, a, h, f.Number, needed)
		if read++; !errors.Is(err, repo.ErrForeignManifest) {
			own++
		}
		isForeign := errors.Is(failed.Err, repo.ErrForeignManifest)
		switch {
		case err == nil && isForeign:
			a.Log.Warn("the snapshot is not the newest manifest, which is passed over", "snapshot", f.Number, "reason", failed.Err)
			return s, ref, nil
		case err == nil:
			failed.Older = f.Number
			return nil, manifest.Ref{}, failed
		case !errors.Is(err, values.ErrDamaged):
			return nil, manifest.Ref{}, err
		case isForeign && !errors.Is(err, repo.ErrForeignManifest):
			failed = &values.UnreadableError{Sequence: f.Number, Err: err}
		}
	}
	return nil, manifest.Ref{}, failed
}
