package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// unreadRecord is the error of a ledger record that cannot be read, or that is another archive's. It wraps
// ErrDamaged.
type unreadRecord struct {
	ref manifest.RecordRef // without a hash if the object is too large
	err error
}

func (u *unreadRecord) Error() string {
	return fmt.Sprintf("the ledger's record %s cannot be read: %v", manifest.LedgerKey(u.ref.Number), u.err)
}

func (u *unreadRecord) Unwrap() []error { return []error{ErrDamaged, u.err} }

// doubt returns the warning of an operation that continues although a record cannot be read.
func (u *unreadRecord) doubt() string {
	return fmt.Sprintf("%v; it may have dropped or held snapshots, so the snapshots are those of the record before it; "+
		"until a repair writes a new record, nothing is pruned or held", u)
}

// refusal returns the error of an operation that would write the next record.
func (u *unreadRecord) refusal() error {
	if errors.Is(u, manifest.ErrVersion) {
		return fmt.Errorf("%w; nothing was changed; use the newer version, or delete the object if an outsider created it", u)
	}
	return fmt.Errorf("%w; it may be the newest, so it is unknown which snapshots are valid and which are held; "+
		"nothing was changed; a repair writes a new one", u)
}

// newHead returns a head for reading the ledger again. It has the id of the archive, so that another archive's
// record counts as unreadable.
func (a *Archive) newHead() *head {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &head{id: a.headID}
}

// readLedgerThere is readLedger for an archive that has a ledger. A listing can show no record at all: it
// misses both the old record, which is deleted during the listing, and the new one, which is created. So it
// tries again.
func (a *Archive) readLedgerThere(ctx context.Context, h *head) error {
	for range 3 {
		if err := a.readLedger(ctx, h); err != nil || h.record != nil || h.unread != nil {
			return err
		}
	}
	return nil
}

// readLedger reads the record in force, which lists the valid snapshots: the greatest that can be read and is
// this archive's. Numbers are contiguous, so an unreadable object just above it may be the record in force,
// damaged: that one is h.unread. One further above counts for nothing.
//
// After the read it checks that the records from there on are the same: a delayed writer may have created the
// record under the number of a deleted one.
func (a *Archive) readLedger(ctx context.Context, h *head) error {
	for attempt := 1; ; attempt++ {
		gone, err := a.findRecord(ctx, h)
		if err != nil || len(h.records) == 0 {
			h.forgetLedger()
			return err
		}
		now, err := a.recordsFrom(ctx, h.ledger.Number)
		if err != nil {
			h.forgetLedger()
			return err
		}
		if gone { // what follows the absent one was not read
			now = now[:min(len(now), len(h.records))]
		}
		same := slices.Equal(now, h.records) || len(now) == 0 // a ledger is never empty again: a listing has no single moment
		switch {
		case same && !gone:
			h.greatest = max(h.greatest, h.anchor()) // the record has used these numbers up
			return nil
		case attempt == raceAttempts:
			key := manifest.LedgerKey(h.records[0])
			h.forgetLedger()
			return fmt.Errorf("%s: %w", key, errGone)
		case same: // listed, but absent
			if err := pause(ctx, min(attempt, 4)); err != nil {
				h.forgetLedger()
				return err
			}
		default: // without a pause, during which the listing would become outdated
		}
	}
}

// findRecord lists the records from the greatest down to the first that can be read. It reports whether one of
// them was deleted since it was listed.
func (a *Archive) findRecord(ctx context.Context, h *head) (gone bool, err error) {
	h.forgetLedger()
	var unread []*unreadRecord
	for r, err := range a.numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		if err != nil {
			return false, err
		}
		h.records = append(h.records, r.n)
		if r.n > manifest.MaxCounted {
			h.ignore(r.object.Key)
			continue
		}
		var err error
		if r.object.Size > manifest.MaxManifestBytes {
			err = &unreadRecord{manifest.RecordRef{Number: r.n}, errTooLarge}
		} else {
			err = a.readRecord(ctx, h, r.n)
		}
		var bad *unreadRecord
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return true, nil
		case errors.As(err, &bad):
			unread = append(unread, bad)
			continue
		case err != nil:
			return false, err
		}
		break
	}
	h.judgeUnread(unread)
	return false, nil
}

// judgeUnread decides which of the unreadable objects above the record in force, greatest first, may be a
// damaged record. Without a record in force it is the greatest: a prune deletes the records before its own.
func (h *head) judgeUnread(all []*unreadRecord) {
	for i, u := range all {
		switch next := h.ledger.Number + 1; {
		case u.ref.Number == next, h.record == nil && i == 0:
			h.unread = u
		case h.record != nil:
			h.ignore(manifest.LedgerKey(u.ref.Number))
		}
	}
}

func (h *head) forgetLedger() {
	h.record, h.ledger, h.records, h.unread = nil, manifest.RecordRef{}, nil, nil
}

// recordsFrom lists the ledger and returns its numbers from the greatest down to least.
func (a *Archive) recordsFrom(ctx context.Context, least int64) (all []int64, err error) {
	for r, err := range a.numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		if err != nil {
			return nil, err
		}
		if r.n < least {
			break
		}
		all = append(all, r.n)
	}
	return all, nil
}

// readRecord reads one record into the head. The error is an unreadRecord if the object is no valid record of
// this archive.
func (a *Archive) readRecord(ctx context.Context, h *head, n int64) error {
	h.record = nil
	var record *manifest.Record
	b, err := a.get(ctx, manifest.LedgerKey(n), manifest.MaxManifestBytes, func(b []byte) (err error) {
		record, err = manifest.DecodeRecord(b, n)
		return err
	})
	ref := manifest.RecordRef{Number: n}
	if b != nil {
		ref.SHA256 = manifest.Sum(b)
	}
	var bad *manifest.ParseError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &bad):
		return &unreadRecord{ref, err}
	case err != nil:
		return fmt.Errorf("reading the ledger: %w", err)
	}
	h.record, h.ledger = record, ref
	// The first half of the numbers is more than any archive uses up, and leaves as many for what comes after it. A
	// record skips fewer, so that those after it can have a newest snapshot above the skipped ones.
	if n := h.anchor(); n > manifest.MaxCounted/2 || n > max(record.Newest, mostUnsupported) {
		err = fmt.Errorf("it names snapshot %d, a number that no archive reaches: %w", n, ErrDamaged)
	} else if h.id != nil && record.Archive != h.id.ID {
		err = a.resolveArchiveID(ctx, h)
	}
	if err != nil {
		h.record, h.ledger = nil, manifest.RecordRef{}
	}
	if errors.Is(err, ErrDamaged) {
		err = &unreadRecord{ref, err}
	}
	return err
}
