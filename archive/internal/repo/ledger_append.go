package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// ErrRaced means that another writer committed the number that this attempt aimed at, or that a prune made it invalid.
// The next attempt plans again.
var ErrRaced = errors.New("another writer was first")

// RecordPlan is the planned content of the next ledger record.
type RecordPlan struct {
	Why  string
	Kept []manifest.Kept // in ascending order, the newest valid one last

	// Skipped is a number above the newest valid one that never gets a snapshot, as a copy leaves it out;
	// zero if there is none.
	Skipped int64
	Archive string // the archive's id, used if no readable object states it; may be empty

	Accepted []manifest.Guard // guards that an operator accepted for the record
	Renew    bool             // write the record even if the current one already matches
}

// RecordOptions are the options of AppendRecord.
type RecordOptions struct {
	All    bool // read every manifest, not only those whose hash is not in the ledger
	DryRun bool // write nothing, and return the record that would be written
	Empty  bool // accept an archive without snapshots
	NoID   bool // accept a missing archive.json, which a repair restores

	Repaired *manifest.Summary // the content of an unreadable manifest, from its replacement; nil if there is none
}

// AppendRecord writes the next ledger record. If another writer takes the number, it plans again. It writes
// nothing if plan returns nil, or if the current record already matches and the plan does not set Renew. The
// record that it returns is the greatest, or was when it was written.
func (a *Repo) AppendRecord(ctx context.Context, how RecordOptions, plan func(*LedgerView) (*RecordPlan, error)) (*manifest.Record, error) {
	var record *manifest.Record
	err := a.StartOver(ctx, "writing a record", func() (err error) {
		record, err = a.appendRecordOnce(ctx, how, plan)
		return err
	}, objects.Raced(objects.ErrGone, ErrRaced))
	return record, err
}

func (a *Repo) appendRecordOnce(ctx context.Context, how RecordOptions, plan func(*LedgerView) (*RecordPlan, error)) (*manifest.Record, error) {
	s, err := a.ReadLedgerView(ctx, how)
	if err != nil {
		return nil, err
	}
	what, err := plan(s)
	if err != nil || what == nil {
		return s.Record, err
	}
	if err := s.checkUnverifiable(what); err != nil {
		return nil, err
	}
	next, err := s.nextRecord(what)
	if err != nil || next == s.Record || how.DryRun {
		return next, err
	}
	if err := a.Confirm(ctx, s.RawID); err != nil {
		return nil, err
	}
	return next, a.WriteRecord(ctx, next)
}

// RecordMatches reports whether the current record already contains everything in the plan.
func (s *LedgerView) RecordMatches(what *RecordPlan) bool {
	return !what.Renew && s.Record != nil && s.Record.Newest == s.NewestValid() && slices.Equal(s.Record.Kept, what.Kept) &&
		s.Anchor() >= what.Skipped && slices.Equal(s.Record.Void, s.VoidNumbers(s.Record.Newest))
}

// nextRecord returns the record for a plan: the current one if it matches, otherwise a new one.
func (s *LedgerView) nextRecord(what *RecordPlan) (*manifest.Record, error) {
	newest := s.NewestValid()
	if s.RecordMatches(what) {
		return s.Record, nil
	}
	r := &manifest.Record{
		Format: manifest.Format, Archive: s.ArchiveID(), Number: s.Ledger.Number + 1,
		Created: time.Now().UTC(), Why: what.Why, Newest: newest, Kept: what.Kept,
		Accepted: what.Accepted, Void: s.VoidNumbers(newest),
	}
	if s.Record != nil {
		r.Parent, r.Archive = new(s.Ledger), s.Record.Archive
	}
	for i := range s.Valid {
		if s.Valid[i].Summary != nil && r.Archive == "" {
			r.Archive = s.Valid[i].Summary.Archive
		}
		n := s.Valid[i].Kept.Sequence
		if !slices.ContainsFunc(what.Kept, func(k manifest.Kept) bool { return k.Sequence == n }) {
			r.Removed = append(r.Removed, n)
		}
	}
	r.Removed = append(r.Removed, s.SkippedNumbers(what, newest)...)
	if r.Archive == "" {
		r.Archive = what.Archive
	}
	if r.Archive == "" {
		return nil, fmt.Errorf("no readable object states the archive's id: %w", values.ErrDamaged)
	}
	if r.Number > manifest.MaxCounted {
		return nil, fmt.Errorf("record %d of the ledger has the greatest possible number; "+
			"copy the archive to a new address", s.Ledger.Number)
	}
	return r, nil
}

// SkippedNumbers returns the numbers above the newest that never get a snapshot, in ascending order.
func (s *LedgerView) SkippedNumbers(what *RecordPlan, newest int64) []int64 {
	var all []int64
	if s.Record != nil {
		all = slices.DeleteFunc(slices.Clone(s.Record.Removed), func(n int64) bool { return n <= newest })
	}
	if n := what.Skipped; n > newest && !slices.Contains(all, n) {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// WriteRecord creates a record and checks that no other writer was first: the record must be in force now, or
// the parent of the next one. Otherwise it returns ErrRaced.
func (a *Repo) WriteRecord(ctx context.Context, r *manifest.Record) error {
	b, err := r.Encode()
	if err != nil {
		return err
	}
	key := manifest.LedgerKey(r.Number)
	if err := a.Create(ctx, "writing", key, b); err != nil {
		return err
	}
	h, err := a.RereadLedger(ctx) // with two listings: one may miss a record that is created during it
	if err != nil {
		return err
	}
	ours := manifest.RecordRef{Number: r.Number, SHA256: manifest.Sum(b)}
	if h.Ledger == ours {
		return nil
	}
	if h.Ledger.Number == r.Number+1 && h.Record.Parent != nil && *h.Record.Parent == ours {
		return nil
	}
	return fmt.Errorf("%s: %w", key, ErrRaced)
}

// KeepAll plans a record that keeps every valid snapshot.
func (s *LedgerView) KeepAll(why string) *RecordPlan {
	what := &RecordPlan{Why: why}
	for i := range s.Valid {
		what.Kept = append(what.Kept, s.Valid[i].Kept)
	}
	return what
}
