package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// RetryWhilePruned calls do again while it returns ErrGone, at most RaceAttempts times.
func (a *Repo) RetryWhilePruned(ctx context.Context, do func() error) error {
	pruned := objects.Raced(objects.ErrGone)
	pruned.GaveUp = func(_ int, err error) error { return err }
	return a.StartOver(ctx, "reading", do, pruned)
}

// GreatestManifest lists the manifests and returns the greatest number that counts, zero if there is none.
func (a *Repo) GreatestManifest(ctx context.Context, h *Head) (int64, error) {
	for m, err := range a.Manifests(ctx, h) {
		return m.Number, err
	}
	return 0, nil
}

// LedgerNow returns the current ledger: was, if no record was created since. While other runs create and
// delete records, a single listing may miss the newest. Before an object is reported as damaged, use
// RereadLedger.
func (a *Repo) LedgerNow(ctx context.Context, was *Head) (*Head, error) {
	listed, err := a.recordsFrom(ctx, was.Ledger.Number)
	if err != nil || slices.Equal(listed, was.Records) {
		return was, err
	}
	now := a.NewHead()
	return now, a.readLedgerThere(ctx, now)
}

// RereadLedger reads the ledger again, with a listing before the read and one after it.
func (a *Repo) RereadLedger(ctx context.Context) (*Head, error) {
	now := a.NewHead()
	return now, a.readLedgerThere(ctx, now)
}

// FilterValid returns those snapshots that the current ledger lists as valid. A ledger that was read before
// a manifest proves nothing about that manifest.
func (a *Repo) FilterValid(ctx context.Context, read []values.Snapshot, h *Head) ([]values.Snapshot, *Head, error) {
	h, err := a.LedgerNow(ctx, h)
	if err != nil {
		return nil, h, err
	}
	read = slices.DeleteFunc(read, func(s values.Snapshot) bool { return !h.Record.ValidNumber(s.Sequence) })
	for i := range read {
		read[i].Held = heldBy(h.Record, read[i].Sequence)
	}
	return read, h, nil
}

// ExplainDamage returns the error to report for an operation on a snapshot's content. Content that appears
// damaged may have been pruned since, or another disk may now be mounted at the address. Neither is damage.
func (a *Repo) ExplainDamage(ctx context.Context, m *manifest.Manifest, err error) error {
	sequence := m.Sequence
	if errors.Is(err, values.ErrNoIdentity) {
		return EncryptedTo(sequence, m.Recipients, err)
	}
	if !errors.Is(err, values.ErrDamaged) {
		return err
	}
	if ctx.Err() != nil { // the ledger cannot be read any more, which shows whether it is damage
		return fmt.Errorf("reading snapshot %d: %w (%v)", sequence, context.Cause(ctx), err) //nolint:errorlint // see above
	}
	if gone := a.Holds(ctx, m); errors.Is(gone, store.ErrGone) || errors.Is(gone, values.ErrNoArchive) {
		return fmt.Errorf("reading snapshot %d: %w (%v)", sequence, gone, err) //nolint:errorlint // it is no damage
	}
	h, ledgerErr := a.RereadLedger(ctx)
	switch {
	case ledgerErr != nil:
		return fmt.Errorf("%w; the ledger cannot be read, which shows whether snapshot %d was pruned during the operation: %w",
			err, sequence, ledgerErr)
	case h.Record.ValidNumber(sequence):
		return err
	}
	const pruned = "snapshot %d was pruned during the operation: %w (%v)"
	return fmt.Errorf(pruned, sequence, values.ErrNoSnapshot, err) //nolint:errorlint // it is no damage
}

// EncryptedTo adds to an error which recipients' identities open the snapshot.
func EncryptedTo(sequence int64, recipients []string, err error) error {
	if len(recipients) == 0 {
		return err
	}
	return fmt.Errorf("snapshot %d is encrypted to %s: %w", sequence, strings.Join(recipients[:min(len(recipients), 20)], ", "), err)
}

// Keeps reports whether a record names exactly this manifest. If so, the hash in its child does not count:
// the child may have recorded the hash of a damaged manifest.
func Keeps(r *manifest.Record, ref manifest.Ref) bool {
	return r != nil && slices.ContainsFunc(r.Kept, func(k manifest.Kept) bool { return k.Ref == ref })
}

// heldBy returns why a record holds a snapshot; empty if it does not hold it.
func heldBy(r *manifest.Record, sequence int64) string {
	if r != nil {
		for i := range r.Kept {
			if r.Kept[i].Sequence == sequence {
				return r.Kept[i].Held
			}
		}
	}
	return ""
}
