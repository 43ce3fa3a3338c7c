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

// errGone: what was listed was gone when it was read, or dropped since: a prune was there.
var errGone = errors.New("it went while it was read")

// retryWhilePruned does something again, a bounded number of times, for as long as a prune takes
// away what it reads.
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

// greatestRecord lists the ledger and gives its greatest number, zero if there is none.
func (a *Archive) greatestRecord(ctx context.Context) (int64, error) {
	for r, err := range a.numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		return r.n, err
	}
	return 0, nil
}

// greatestManifest lists the manifests and gives their greatest number, zero if there is none.
func (a *Archive) greatestManifest(ctx context.Context) (int64, error) {
	for m, err := range a.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey) {
		return m.n, err
	}
	return 0, nil
}

// readLedgerThere is readLedger where there is one: that a listing has no record is that of
// the moments in which it missed the old one, which went, and the new one, which came.
func (a *Archive) readLedgerThere(ctx context.Context, h *head) error {
	for range 3 {
		if err := a.readLedger(ctx, h); err != nil || h.record != nil {
			return err
		}
	}
	return nil
}

// readLedger reads the record with the greatest number. Without it nobody can know
// which snapshots there are, so a record that cannot be read ends the operation. Of what
// it read it makes sure that it is still the greatest: it may be one that somebody created
// late, under the number of one that was deleted.
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
				h.greatest = max(h.greatest, h.record.Removed[last]) // left out by a copy: taken all the same
			}
			return nil
		case attempt == raceAttempts:
			h.record = nil
			return fmt.Errorf("%s: %w", manifest.LedgerKey(was), errGone)
		case n == was: // listed, and not there
			err = pause(ctx, min(attempt, 4))
		default: // at once, for what was just listed goes stale while one waits
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
		return fmt.Errorf("the ledger's newest record %s cannot be read, so nobody knows which snapshots are kept; strongroom verify --repair writes a new one: %w (%w)", key, ErrDamaged, err)
	}
	h.record, h.ledger = record, manifest.RecordRef{Number: n, SHA256: manifest.Sum(b)}
	return nil
}

// ledgerNow gives the ledger as it is now: was, if no record was created since. While others
// write records and remove old ones, one listing may miss the newest; who is about to call
// something damaged asks rereadLedger.
func (a *Archive) ledgerNow(ctx context.Context, was *head) (*head, error) {
	n, err := a.greatestRecord(ctx)
	if err != nil || n == was.ledger.Number {
		return was, err
	}
	now := &head{}
	return now, a.readLedgerThere(ctx, now)
}

// rereadLedger reads the ledger anew, with a listing before and one after it.
func (a *Archive) rereadLedger(ctx context.Context) (*head, error) {
	now := &head{}
	return now, a.readLedgerThere(ctx, now)
}

// filterValid leaves of what was read what is valid by the ledger now: one that was read before
// proves nothing about a manifest that was read after. With h nil none was read yet.
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

// explainDamage is the error of an operation on the content of a snapshot. If that was found
// damaged, it may have been pruned since, or another disk may lie at the address by now, which are
// something else.
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
	return fmt.Errorf("snapshot %d was pruned meanwhile: %w (%v)", sequence, ErrNoSnapshot, err) //nolint:errorlint // it is no damage
}

// encryptedTo says whose identity a snapshot takes.
func encryptedTo(sequence int64, recipients []string, err error) error {
	if len(recipients) == 0 {
		return err
	}
	return fmt.Errorf("snapshot %d is encrypted to %s: %w", sequence, strings.Join(recipients[:min(len(recipients), 20)], ", "), err)
}

// keeps reports whether a record names just this manifest. Then the word of its child counts
// no more: the child may have found it damaged, and named it as it found it.
func keeps(r *manifest.Record, ref manifest.Ref) bool {
	return r != nil && slices.ContainsFunc(r.Kept, func(k manifest.Kept) bool { return k.Ref == ref })
}

// heldBy is why a record holds a snapshot; empty: it does not.
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
