package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// greatestRecord lists the ledger and returns its greatest number, zero if there is none.
func (a *Archive) greatestRecord(ctx context.Context) (int64, error) {
	for r, err := range a.numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		return r.n, err
	}
	return 0, nil
}

// greatestManifest lists the manifests and returns their greatest number, zero if there is none.
func (a *Archive) greatestManifest(ctx context.Context) (int64, error) {
	for m, err := range a.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey) {
		return m.n, err
	}
	return 0, nil
}

// readLedgerThere is readLedger for an archive that has a ledger. A listing can show no record at all: it
// misses both the old record, which is deleted during the listing, and the new one, which is created. So it
// tries again.
func (a *Archive) readLedgerThere(ctx context.Context, h *head) error {
	for range 3 {
		if err := a.readLedger(ctx, h); err != nil || h.record != nil {
			return err
		}
	}
	return nil
}

// readLedger reads the record with the greatest number. Only this record lists the valid snapshots, so if it
// is unreadable, the operation ends. After the read it checks that the record is still the greatest: a
// delayed writer may have created it under the number of a deleted record.
func (a *Archive) readLedger(ctx context.Context, h *head) error {
	n, err := a.greatestRecord(ctx)
	for attempt := 1; err == nil && n > 0; attempt++ {
		if err := a.readRecord(ctx, h, n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		was := n
		if n, err = a.greatestRecord(ctx); err != nil {
			break
		}
		if n == 0 {
			n = was // a ledger is never empty again: the listing was of no single moment
		}
		switch {
		case n == was && h.record != nil:
			h.greatest = max(h.greatest, h.record.Newest)
			if last := len(h.record.Removed) - 1; last >= 0 {
				h.greatest = max(h.greatest, h.record.Removed[last]) // a copy skipped this number: it is used up
			}
			return nil
		case attempt == raceAttempts:
			h.record = nil
			return fmt.Errorf("%s: %w", manifest.LedgerKey(was), errGone)
		case n == was: // listed, but absent
			err = pause(ctx, min(attempt, 4))
		default: // without a pause, during which the listing would become outdated
		}
	}
	h.record, h.ledger = nil, manifest.RecordRef{}
	return err
}

func (a *Archive) readRecord(ctx context.Context, h *head, n int64) error {
	h.record = nil
	var record *manifest.Record
	key := manifest.LedgerKey(n)
	b, err := a.get(ctx, key, manifest.MaxManifestBytes, func(b []byte) (err error) {
		record, err = manifest.DecodeRecord(b, n)
		return err
	})
	var bad *manifest.ParseError
	if err != nil && !errors.As(err, &bad) {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	if err != nil {
		return fmt.Errorf("the ledger's newest record %s is unreadable, so the valid snapshots are unknown; "+
			"a repair writes a new one: %w (%w)", key, ErrDamaged, err)
	}
	h.record, h.ledger = record, manifest.RecordRef{Number: n, SHA256: manifest.Sum(b)}
	return nil
}

// ledgerNow returns the current ledger: was, if no record was created since. While other runs create and
// delete records, a single listing may miss the newest. Before an object is reported as damaged, use
// rereadLedger.
func (a *Archive) ledgerNow(ctx context.Context, was *head) (*head, error) {
	n, err := a.greatestRecord(ctx)
	if err != nil || n == was.ledger.Number {
		return was, err
	}
	now := &head{}
	return now, a.readLedgerThere(ctx, now)
}

// rereadLedger reads the ledger again, with a listing before the read and one after it.
func (a *Archive) rereadLedger(ctx context.Context) (*head, error) {
	now := &head{}
	return now, a.readLedgerThere(ctx, now)
}

// filterValid returns those snapshots that the current ledger lists as valid. A ledger that was read before
// a manifest proves nothing about that manifest. A nil h means that no ledger was read yet.
func (a *Archive) filterValid(ctx context.Context, read []Snapshot, h *head) ([]Snapshot, *head, error) {
	if h == nil {
		h = &head{}
	}
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
	if !errors.Is(err, ErrDamaged) || ctx.Err() != nil {
		return err
	}
	if gone := a.holds(ctx, m); errors.Is(gone, store.ErrGone) || errors.Is(gone, ErrNoArchive) {
		return fmt.Errorf("reading snapshot %d: %w (%v)", sequence, gone, err) //nolint:errorlint // it is no damage
	}
	if h, ledgerErr := a.rereadLedger(ctx); ledgerErr != nil || h.record.ValidNumber(sequence) {
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
