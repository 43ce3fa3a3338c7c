package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
)

// UnreadableError is the error for a snapshot, selected as the newest or by a time, whose manifest cannot be read. It
// wraps ErrDamaged. The manifest may be damaged, or an outsider's: no older snapshot is taken in its place unasked.
type UnreadableError struct {
	Sequence int64 // of the snapshot
	Older    int64 // the next older snapshot that can be read; 0 if none was found
	Err      error // why it cannot be read
}

func (u *UnreadableError) Error() string {
	if u.Older == 0 {
		return u.Err.Error()
	}
	return fmt.Sprintf("%v; snapshot %d is the newest before it that can be read", u.Err, u.Older)
}

// Unwrap returns why the snapshot cannot be read.
func (u *UnreadableError) Unwrap() error { return u.Err }

// readValid reads a snapshot, and checks that the ledger still lists it and that it is this archive's.
func (a *Archive) readValid(
	ctx context.Context, h *head, n int64, needed pageChoice,
) (*snapshot, manifest.Ref, error) {
	s, ref, err := a.readSnapshotOf(ctx, n, h.record, needed)
	now := func() (*head, error) { return a.ledgerNow(ctx, h) }
	if err != nil {
		now = func() (*head, error) { return a.rereadLedger(ctx) }
	}
	if h, nowErr := now(); nowErr != nil {
		return nil, ref, errors.Join(err, nowErr)
	} else if !h.record.ValidNumber(n) || (ref.Sequence != 0 && !h.record.Valid(n, ref.SHA256) && !errors.Is(err, errVoid)) {
		return nil, ref, fmt.Errorf("%w: the ledger has dropped snapshot %d", errGone, n)
	}
	if err == nil && h.id != nil && s.m.Archive != h.id.ID {
		return nil, ref, fmt.Errorf("manifest %d: %w: %s", n, errForeignManifest, s.m.Archive)
	}
	return s, ref, err
}

// readOlder is called when snapshot n was selected and why is the reason that it cannot be read. If n, and perhaps more
// below it, is another archive's, it returns the newest one that is not. Otherwise the error names the next older
// snapshot that can be read.
func (a *Archive) readOlder(
	ctx context.Context, h *head, n int64, why error, needed pageChoice,
) (*snapshot, manifest.Ref, error) {
	failed := &UnreadableError{Sequence: n, Err: why}
	read, own := 0, 0 // foreign ones cost an outsider nothing, so that they do not count as own
	for f, err := range a.manifests(ctx, h) {
		if err != nil {
			return nil, manifest.Ref{}, errors.Join(why, err)
		}
		if f.n >= n || !h.record.ValidNumber(f.n) {
			continue
		}
		if read == mostUnread || own == mostAsked {
			break
		}
		s, ref, err := a.readValid(ctx, h, f.n, needed)
		if read++; !errors.Is(err, errForeignManifest) {
			own++
		}
		isForeign := errors.Is(failed.Err, errForeignManifest)
		switch {
		case err == nil && isForeign:
			a.log.Warn("the snapshot is not the newest manifest, which is passed over", "snapshot", f.n, "reason", failed.Err)
			return s, ref, nil
		case err == nil:
			failed.Older = f.n
			return nil, manifest.Ref{}, failed
		case !errors.Is(err, ErrDamaged):
			return nil, manifest.Ref{}, err
		case isForeign && !errors.Is(err, errForeignManifest):
			failed = &UnreadableError{Sequence: f.n, Err: err}
		}
	}
	return nil, manifest.Ref{}, failed
}
