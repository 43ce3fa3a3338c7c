package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// repairLedger writes a new ledger record if the next one cannot be read. No copy has the damaged record, since
// each copy has its own ledger. The new record keeps every snapshot that the record before allows and whose
// manifest exists, even if the damaged one had dropped it. All are held, since the damaged record may have held
// any of them; an operator releases those that were not held. It returns true if the archive has to be read again.
func (v *verifyRun) repairLedger(ctx context.Context) (isRepaired bool, err error) {
	unread := v.head.Unread
	if errors.Is(unread, manifest.ErrVersion) {
		return false, fmt.Errorf("%w; the version that wrote it has to repair it", unread)
	}
	record, err := v.rebuildLedger(ctx, v.head)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w; it cannot be repaired: %w", unread, err)
	case len(record.Kept) == 0: // there is no snapshot yet that it could have dropped or held
		return false, nil
	}
	switch err := v.repo.WriteRecord(ctx, record); {
	case errors.Is(err, repo.ErrRaced):
		return true, nil // another writer has created the record, which is now in force
	case err != nil:
		return false, err
	}
	v.report.Repaired = append(v.report.Repaired, values.Problem{
		Object: manifest.LedgerKey(unread.Ref.Number), Kind: values.ProblemContent,
		Detail: fmt.Sprintf("%v; record %d replaces it and holds every snapshot; release those that were not held",
			unread, record.Number),
	})
	return true, nil
}

// nextFree returns the number of the record that replaces those that cannot be read: the next one that no object
// has. A number that uses up half of all is not of a writer, so without a record in force the first free one serves.
func nextFree(h *repo.Head) int64 {
	n := h.Unread.Ref.Number + 1
	if n > manifest.MaxCounted/2 {
		n = h.Ledger.Number + 1
	}
	for slices.Contains(h.Records, n) {
		n++
	}
	return n
}

// rebuildLedger returns a record that keeps and holds every snapshot whose manifest exists, except for those that
// the record before the damaged one had dropped.
func (v *verifyRun) rebuildLedger(ctx context.Context, h *repo.Head) (*manifest.Record, error) {
	next := nextFree(h)
	var parent *manifest.RecordRef
	if next > 1 { // the first record has none
		sum, err := v.repo.Hash(ctx, manifest.LedgerKey(next-1), manifest.MaxManifestBytes)
		if err != nil {
			return nil, err
		}
		parent = &manifest.RecordRef{Number: next - 1, SHA256: sum}
	}
	rawID := h.RawID
	s, err := v.readExisting(ctx, h)
	if err != nil {
		return nil, err
	}
	r := &manifest.Record{
		Format: manifest.Format, Archive: s.ArchiveID(), Number: next, Parent: parent,
		Created: time.Now().UTC(), Why: "verify --repair", Newest: s.NewestValid(), Void: s.VoidNumbers(s.NewestValid()),
		Removed: s.SkippedNumbers(&repo.RecordPlan{}, s.NewestValid()),
	}
	for i := range s.Valid {
		// Its child may be forged, or may have named it while it was damaged. A wrong hash in a record would make it
		// invalid for good.
		if m := &s.Valid[i]; m.IsUnverifiable && m.AsRead != nil {
			return nil, fmt.Errorf("the correct hash of manifest %d is unknown; delete the manifest that names it wrongly, "+
				"if an outsider created that one: %w", m.Kept.Sequence, m.Err)
		}
		k := s.Valid[i].Kept
		if k.Held == "" {
			k.Held = values.WhyRebuilt
		}
		r.Kept = append(r.Kept, k)
		if m := s.Valid[i].Summary; m != nil && r.Archive == "" {
			r.Archive = m.Archive
		}
	}
	if r.Archive == "" && len(r.Kept) > 0 {
		return nil, fmt.Errorf("no readable object states the archive's id: %w", values.ErrDamaged)
	}
	return r, v.repo.Confirm(ctx, rawID)
}

// readExisting returns every snapshot that the record in force allows and whose manifest exists.
func (v *verifyRun) readExisting(ctx context.Context, h *repo.Head) (*repo.LedgerView, error) {
	s := &repo.LedgerView{Head: h}
	newest, err := v.repo.GreatestManifest(ctx, h) // from a first listing, as in ReadLedgerView
	if err != nil {
		return nil, err
	}
	for f, err := range v.repo.Manifests(ctx, h) {
		if err != nil {
			return nil, err
		}
		if f.Number > newest || !h.Record.ValidNumber(f.Number) {
			continue
		}
		s.Valid = append(s.Valid, repo.SnapshotEntry{Kept: manifest.Kept{Ref: manifest.Ref{Sequence: f.Number}}, Object: f.Object})
	}
	slices.Reverse(s.Valid)
	if h.Record != nil {
		for _, k := range h.Record.Kept { // a missing one can be restored, so it stays
			if s.Find(k.Sequence) == nil {
				s.Insert(k)
			}
		}
	}
	listed := slices.Clone(s.Valid)
	if err := v.repo.ReadMembers(ctx, s, true); err != nil {
		return nil, err
	}
	if s.ID != nil && s.Record == nil && agreedArchiveID(s) == "" { // no manifest has archive.json's id, which may be damaged
		alone := &repo.LedgerView{Head: &repo.Head{Ignored: h.Ignored}, Valid: listed}
		if err := v.repo.ReadMembers(ctx, alone, true); err != nil {
			return nil, err
		}
		if agreedArchiveID(alone) != "" {
			s = alone
		}
	}
	return s, nil
}

// agreedArchiveID is the archive's id if all readable manifests agree on it; empty if they do not, or if there
// are none.
func agreedArchiveID(s *repo.LedgerView) string {
	id := ""
	for i := range s.Valid {
		m := s.Valid[i].Summary
		if m != nil && id != "" && m.Archive != id {
			return ""
		}
		if m != nil {
			id = m.Archive
		}
	}
	return id
}
