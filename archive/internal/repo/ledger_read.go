package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// UnreadRecord is the error of a ledger record that cannot be read, or that is another archive's. It wraps
// ErrDamaged.
type UnreadRecord struct {
	Ref manifest.RecordRef // without a hash if the object is too large
	Err error
}

func (u *UnreadRecord) Error() string {
	return fmt.Sprintf("the ledger's record %s cannot be read: %v", manifest.LedgerKey(u.Ref.Number), u.Err)
}

func (u *UnreadRecord) Unwrap() []error { return []error{values.ErrDamaged, u.Err} }

// doubt returns the warning of an operation that continues although a record cannot be read.
func (u *UnreadRecord) doubt() string {
	return fmt.Sprintf("%v; it may have dropped or held snapshots, so the snapshots are those of the record before it; "+
		"until a repair writes a new record, nothing is pruned or held", u)
}

// refusal returns the error of an operation that would write the next record.
func (u *UnreadRecord) refusal() error {
	if errors.Is(u, manifest.ErrVersion) {
		return fmt.Errorf("%w; nothing was changed; use the newer version, or delete the object if an outsider created it", u)
	}
	return fmt.Errorf("%w; it may be the newest, so it is unknown which snapshots are valid and which are held; "+
		"nothing was changed; a repair writes a new one", u)
}

// NewHead returns a head for reading the ledger again. It has the id of the archive, so that another archive's
// record counts as unreadable.
func (a *Repo) NewHead() *Head {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &Head{ID: a.headID}
}

// readLedgerThere is ReadLedger for an archive that has a ledger. A listing can show no record at all: it
// misses both the old record, which is deleted during the listing, and the new one, which is created. So it
// tries again.
func (a *Repo) readLedgerThere(ctx context.Context, h *Head) error {
	for range 3 {
		if err := a.ReadLedger(ctx, h); err != nil || h.Record != nil || h.Unread != nil {
			return err
		}
	}
	return nil
}

// ReadLedger reads the record in force, which lists the valid snapshots: the greatest that can be read and is
// this archive's. Numbers are contiguous, so an unreadable object just above it may be the record in force,
// damaged: that one is h.unread. One further above counts for nothing.
//
// After the read it checks that the records from there on are the same: a delayed writer may have created the
// record under the number of a deleted one.
func (a *Repo) ReadLedger(ctx context.Context, h *Head) error {
	for attempt := 1; ; attempt++ {
		gone, err := a.findRecord(ctx, h)
		if err != nil || len(h.Records) == 0 {
			h.forgetLedger()
			return err
		}
		now, err := a.recordsFrom(ctx, h.Ledger.Number)
		if err != nil {
			h.forgetLedger()
			return err
		}
		if gone { // what follows the absent one was not read
			now = now[:min(len(now), len(h.Records))]
		}
		same := slices.Equal(now, h.Records) || len(now) == 0 // a ledger is never empty again: a listing has no single moment
		switch {
		case same && !gone:
			h.Greatest = max(h.Greatest, h.Anchor()) // the record has used these numbers up
			return nil
		case attempt == objects.RaceAttempts:
			key := manifest.LedgerKey(h.Records[0])
			h.forgetLedger()
			return fmt.Errorf("%s: %w", key, objects.ErrGone)
		case same: // listed, but absent
			if err := objects.Pause(ctx, attempt); err != nil {
				h.forgetLedger()
				return err
			}
		default: // without a pause, during which the listing would become outdated
		}
	}
}

// findRecord lists the records from the greatest down to the first that can be read. It reports whether one of
// them was deleted since it was listed.
func (a *Repo) findRecord(ctx context.Context, h *Head) (gone bool, err error) {
	h.forgetLedger()
	var unread []*UnreadRecord
	for r, err := range a.Numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		if err != nil {
			return false, err
		}
		h.Records = append(h.Records, r.Number)
		if r.Number > manifest.MaxCounted {
			h.ignore(r.Object.Key)
			continue
		}
		var err error
		if r.Object.Size > manifest.MaxManifestBytes {
			err = &UnreadRecord{manifest.RecordRef{Number: r.Number}, objects.ErrTooLarge}
		} else {
			err = a.ReadRecord(ctx, h, r.Number)
		}
		var bad *UnreadRecord
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
func (h *Head) judgeUnread(all []*UnreadRecord) {
	for i, u := range all {
		switch next := h.Ledger.Number + 1; {
		case u.Ref.Number == next, h.Record == nil && i == 0:
			h.Unread = u
		case h.Record != nil:
			h.ignore(manifest.LedgerKey(u.Ref.Number))
		}
	}
}

func (h *Head) forgetLedger() {
	h.Record, h.Ledger, h.Records, h.Unread = nil, manifest.RecordRef{}, nil, nil
}

// recordsFrom lists the ledger and returns its numbers from the greatest down to least.
func (a *Repo) recordsFrom(ctx context.Context, least int64) (all []int64, err error) {
	for r, err := range a.Numbers(ctx, manifest.LedgerPrefix, manifest.ParseLedgerKey) {
		if err != nil {
			return nil, err
		}
		if r.Number < least {
			break
		}
		all = append(all, r.Number)
	}
	return all, nil
}

// ReadRecord reads one record into the head. The error is an UnreadRecord if the object is no valid record of
// this archive.
func (a *Repo) ReadRecord(ctx context.Context, h *Head, n int64) error {
	h.Record = nil
	var record *manifest.Record
	b, err := a.Get(ctx, manifest.LedgerKey(n), manifest.MaxManifestBytes, func(b []byte) (err error) {
		record, err = manifest.DecodeRecord(b, n)
		return err
	})
	ref := manifest.RecordRef{Number: n}
	if b != nil {
		ref.SHA256 = manifest.Sum(b)
	}
	var bad *manifest.ParseError
	switch {
	case errors.Is(err, objects.ErrTooLarge), errors.As(err, &bad):
		return &UnreadRecord{ref, err}
	case err != nil:
		return fmt.Errorf("reading the ledger: %w", err)
	}
	h.Record, h.Ledger = record, ref
	// The first half of the numbers is more than any archive uses up, and leaves as many for what comes after it. A
	// record skips fewer, so that those after it can have a newest snapshot above the skipped ones.
	if n := h.Anchor(); n > manifest.MaxCounted/2 || n > max(record.Newest, mostUnsupported) {
		err = fmt.Errorf("it names snapshot %d, a number that no archive reaches: %w", n, values.ErrDamaged)
	} else if h.ID != nil && record.Archive != h.ID.ID {
		err = a.resolveArchiveID(ctx, h)
	}
	if err != nil {
		h.Record, h.Ledger = nil, manifest.RecordRef{}
	}
	if errors.Is(err, values.ErrDamaged) {
		err = &UnreadRecord{ref, err}
	}
	return err
}
