package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// errGone: an object was listed, and a concurrent prune deleted or dropped it before it was read.
var errGone = errors.New("it changed while it was read")

// retryWhilePruned calls do again while it returns errGone, at most raceAttempts times.
func (a *Archive) retryWhilePruned(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if !errors.Is(err, errGone) || attempt == raceAttempts {
			return err
		}
		if err := pause(ctx, min(attempt, 4)); err != nil {
			return err
		}
	}
}

// greatestManifest lists the manifests and returns the greatest number that counts, zero if there is none.
func (a *Archive) greatestManifest(ctx context.Context, h *head) (int64, error) {
	for m, err := range a.manifests(ctx, h) {
		return m.n, err
	}
	return 0, nil
}

// ledgerNow returns the current ledger: was, if no record was created since. While other runs create and
// delete records, a single listing may miss the newest. Before an object is reported as damaged, use
// rereadLedger.
func (a *Archive) ledgerNow(ctx context.Context, was *head) (*head, error) {
	listed, err := a.recordsFrom(ctx, was.ledger.Number)
	if err != nil || slices.Equal(listed, was.records) {
		return was, err
	}
	now := a.newHead()
	return now, a.readLedgerThere(ctx, now)
}

// rereadLedger reads the ledger again, with a listing before the read and one after it.
func (a *Archive) rereadLedger(ctx context.Context) (*head, error) {
	now := a.newHead()
	return now, a.readLedgerThere(ctx, now)
}

// filterValid returns those snapshots that the current ledger lists as valid. A ledger that was read before
// a manifest proves nothing about that manifest.
func (a *Archive) filterValid(ctx context.Context, read []Snapshot, h *head) ([]Snapshot, *head, error) {
	h, err := a.ledgerNow(ctx, h)
	if err != nil {
		return nil, h, err
	}
	read = slices.DeleteFunc(read, func(s Snapshot) bool { return !h.record.ValidNumber(s.Sequence) })
	for i := range read {
		read[i].Held = heldBy(h.record, read[i].Sequence)
	}
	return read, h, nil
}

// explainDamage returns the error to report for an operation on a snapshot's content. Content that appears
// damaged may have been pruned since, or another disk may now be mounted at the address. Neither is damage.
func (a *Archive) explainDamage(ctx context.Context, m *manifest.Manifest, err error) error {
	sequence := m.Sequence
	if errors.Is(err, ErrNoIdentity) {
		return encryptedTo(sequence, m.Recipients, err)
	}
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	if ctx.Err() != nil { // the ledger cannot be read any more, which shows whether it is damage
		return fmt.Errorf("reading snapshot %d: %w (%v)", sequence, context.Cause(ctx), err) //nolint:errorlint // see above
	}
	if gone := a.holds(ctx, m); errors.Is(gone, store.ErrGone) || errors.Is(gone, ErrNoArchive) {
		return fmt.Errorf("reading snapshot %d: %w (%v)", sequence, gone, err) //nolint:errorlint // it is no damage
	}
	h, ledgerErr := a.rereadLedger(ctx)
	switch {
	case ledgerErr != nil:
		return fmt.Errorf("%w; the ledger cannot be read, which shows whether snapshot %d was pruned during the operation: %w",
			err, sequence, ledgerErr)
	case h.record.ValidNumber(sequence):
		return err
	}
	const pruned = "snapshot %d was pruned during the operation: %w (%v)"
	return fmt.Errorf(pruned, sequence, ErrNoSnapshot, err) //nolint:errorlint // it is no damage
}

// encryptedTo adds to an error which recipients' identities open the snapshot.
func encryptedTo(sequence int64, recipients []string, err error) error {
	if len(recipients) == 0 {
		return err
	}
	return fmt.Errorf("snapshot %d is encrypted to %s: %w", sequence, strings.Join(recipients[:min(len(recipients), 20)], ", "), err)
}

// keeps reports whether a record names exactly this manifest. If so, the hash in its child does not count:
// the child may have recorded the hash of a damaged manifest.
func keeps(r *manifest.Record, ref manifest.Ref) bool {
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
