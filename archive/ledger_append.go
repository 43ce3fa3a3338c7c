package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// recordPlan is the planned content of the next ledger record.
type recordPlan struct {
	why  string
	kept []manifest.Kept // in ascending order, the newest valid one last

	// skipped is a number above the newest valid one that never gets a snapshot, as a copy leaves it out;
	// zero if there is none.
	skipped int64
	archive string // the archive's id, used if no readable object states it; may be empty

	accepted []manifest.Guard // guards that an operator accepted for the record
	renew    bool             // write the record even if the current one already matches
}

// recordOptions are the options of appendRecord.
type recordOptions struct {
	all    bool // read every manifest, not only those whose hash is not in the ledger
	dryRun bool // write nothing, and return the record that would be written
	empty  bool // accept an archive without snapshots
	noID   bool // accept a missing archive.json, which a repair restores

	repaired *manifest.Summary // the content of an unreadable manifest, from its replacement; nil if there is none
}

// appendRecord writes the next ledger record. If another writer takes the number, it plans again. It writes
// nothing if plan returns nil, or if the current record already matches and the plan does not set renew. The
// record that it returns is the greatest, or was when it was written.
func (a *Archive) appendRecord(ctx context.Context, how recordOptions, plan func(*ledgerView) (*recordPlan, error)) (*manifest.Record, error) {
	for attempt := 1; ; attempt++ {
		record, err := a.appendRecordOnce(ctx, how, plan)
		if !errors.Is(err, errGone) && !errors.Is(err, errRaced) {
			return record, err
		}
		if attempt == raceAttempts {
			return nil, fmt.Errorf("gave up after %d attempts: %w: %w", attempt, ErrLostRace, err)
		}
		if err := pause(ctx, min(attempt, 4)); err != nil {
			return nil, err
		}
	}
}

func (a *Archive) appendRecordOnce(ctx context.Context, how recordOptions, plan func(*ledgerView) (*recordPlan, error)) (*manifest.Record, error) {
	s, err := a.readLedgerView(ctx, how)
	if err != nil {
		return nil, err
	}
	what, err := plan(s)
	if err != nil || what == nil {
		return s.record, err
	}
	if err := s.checkUnverifiable(what); err != nil {
		return nil, err
	}
	next, err := s.nextRecord(what)
	if err != nil || next == s.record || how.dryRun {
		return next, err
	}
	if err := a.confirm(ctx, s.rawID); err != nil {
		return nil, err
	}
	return next, a.writeRecord(ctx, next)
}

// recordMatches reports whether the current record already contains everything in the plan.
func (s *ledgerView) recordMatches(what *recordPlan) bool {
	return !what.renew && s.record != nil && s.record.Newest == s.newestValid() && slices.Equal(s.record.Kept, what.kept) &&
		s.anchor() >= what.skipped && slices.Equal(s.record.Void, s.voidNumbers(s.record.Newest))
}

// nextRecord returns the record for a plan: the current one if it matches, otherwise a new one.
func (s *ledgerView) nextRecord(what *recordPlan) (*manifest.Record, error) {
	newest := s.newestValid()
	if s.recordMatches(what) {
		return s.record, nil
	}
	r := &manifest.Record{
		Format: manifest.Format, Archive: s.archiveID(), Number: s.ledger.Number + 1,
		Created: time.Now().UTC(), Why: what.why, Newest: newest, Kept: what.kept,
		Accepted: what.accepted, Void: s.voidNumbers(newest),
	}
	if s.record != nil {
		r.Parent, r.Archive = new(s.ledger), s.record.Archive
	}
	for i := range s.valid {
		if s.valid[i].m != nil && r.Archive == "" {
			r.Archive = s.valid[i].m.Archive
		}
		n := s.valid[i].kept.Sequence
		if !slices.ContainsFunc(what.kept, func(k manifest.Kept) bool { return k.Sequence == n }) {
			r.Removed = append(r.Removed, n)
		}
	}
	r.Removed = append(r.Removed, s.skippedNumbers(what, newest)...)
	if r.Archive == "" {
		r.Archive = what.archive
	}
	if r.Archive == "" {
		return nil, fmt.Errorf("no readable object states the archive's id: %w", ErrDamaged)
	}
	if r.Number > manifest.MaxCounted {
		return nil, fmt.Errorf("record %d of the ledger has the greatest possible number; "+
			"copy the archive to a new address", s.ledger.Number)
	}
	return r, nil
}

// skippedNumbers returns the numbers above the newest that never get a snapshot, in ascending order.
func (s *ledgerView) skippedNumbers(what *recordPlan, newest int64) []int64 {
	var all []int64
	if s.record != nil {
		all = slices.DeleteFunc(slices.Clone(s.record.Removed), func(n int64) bool { return n <= newest })
	}
	if n := what.skipped; n > newest && !slices.Contains(all, n) {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// writeRecord creates a record and checks that no other writer was first: the record must be in force now, or
// the parent of the next one. Otherwise it returns errRaced.
func (a *Archive) writeRecord(ctx context.Context, r *manifest.Record) error {
	b, err := r.Encode()
	if err != nil {
		return err
	}
	key := manifest.LedgerKey(r.Number)
	if err := a.createRecord(ctx, key, b); err != nil {
		return err
	}
	h, err := a.rereadLedger(ctx) // with two listings: one may miss a record that is created during it
	if err != nil {
		return err
	}
	ours := manifest.RecordRef{Number: r.Number, SHA256: manifest.Sum(b)}
	if h.ledger == ours {
		return nil
	}
	if h.ledger.Number == r.Number+1 && h.record.Parent != nil && *h.record.Parent == ours {
		return nil
	}
	return fmt.Errorf("%s: %w", key, errRaced)
}

// createRecord creates a record. If the response was lost, it reads the object back to find out whether the
// record was created.
func (a *Archive) createRecord(ctx context.Context, key string, b []byte) error {
	stored, err := a.putBytes(ctx, key, b)
	switch {
	case err == nil && !stored.Existed:
		return nil
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%s: %w", key, errRaced)
	case errors.Is(err, store.ErrBlocked): // a read may follow a link that no listing shows
		return fmt.Errorf("writing %s: %w", key, err)
	}
	there, readErr := a.getOnce(ctx, key, manifest.MaxManifestBytes)
	switch {
	case readErr == nil && bytes.Equal(there, b):
		return nil
	case readErr == nil:
		return fmt.Errorf("%s: %w", key, errRaced)
	case err == nil:
		err = readErr
	}
	return fmt.Errorf("writing %s: %w", key, err)
}
