package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// WhyRebuilt is the reason of the holds in a record that replaces a damaged one.
const WhyRebuilt = "the ledger was damaged, and may have held this one"

// repairLedger writes a new ledger record if the next one cannot be read. No copy has the damaged record, since
// each copy has its own ledger. The new record keeps every snapshot that the record before allows and whose
// manifest exists, even if the damaged one had dropped it. All are held, since the damaged record may have held
// any of them; an operator releases those that were not held. It returns true if the archive has to be read again.
func (v *verifyRun) repairLedger(ctx context.Context) (isRepaired bool, err error) {
	unread := v.head.unread
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
	switch err := v.writeRecord(ctx, record); {
	case errors.Is(err, errRaced):
		return true, nil // another writer has created the record, which is now in force
	case err != nil:
		return false, err
	}
	v.report.Repaired = append(v.report.Repaired, Problem{
		Object: manifest.LedgerKey(unread.ref.Number), Kind: ProblemContent,
		Detail: fmt.Sprintf("%v; record %d replaces it and holds every snapshot; release those that were not held",
			unread, record.Number),
	})
	return true, nil
}

// nextFree returns the number of the record that replaces those that cannot be read: the next one that no object
// has. A number that uses up half of all is not of a writer, so without a record in force the first free one serves.
func (h *head) nextFree() int64 {
	n := h.unread.ref.Number + 1
	if n > manifest.MaxCounted/2 {
		n = h.ledger.Number + 1
	}
	for slices.Contains(h.records, n) {
		n++
	}
	return n
}

// rebuildLedger returns a record that keeps and holds every snapshot whose manifest exists, except for those that
// the record before the damaged one had dropped.
func (v *verifyRun) rebuildLedger(ctx context.Context, h *head) (*manifest.Record, error) {
	next := h.nextFree()
	var parent *manifest.RecordRef
	if next > 1 { // the first record has none
		sum, err := v.hash(ctx, manifest.LedgerKey(next-1), manifest.MaxManifestBytes)
		if err != nil {
			return nil, err
		}
		parent = &manifest.RecordRef{Number: next - 1, SHA256: sum}
	}
	rawID := h.rawID
	s, err := v.readExisting(ctx, h)
	if err != nil {
		return nil, err
	}
	r := &manifest.Record{
		Format: manifest.Format, Archive: s.archiveID(), Number: next, Parent: parent,
		Created: time.Now().UTC(), Why: "verify --repair", Newest: s.newestValid(), Void: s.voidNumbers(s.newestValid()),
		Removed: s.skippedNumbers(&recordPlan{}, s.newestValid()),
	}
	for i := range s.valid {
		// Its child may be forged, or may have named it while it was damaged. A wrong hash in a record would make it
		// invalid for good.
		if m := &s.valid[i]; m.isUnverifiable && m.asRead != nil {
			return nil, fmt.Errorf("the correct hash of manifest %d is unknown; delete the manifest that names it wrongly, "+
				"if an outsider created that one: %w", m.kept.Sequence, m.err)
		}
		k := s.valid[i].kept
		if k.Held == "" {
			k.Held = WhyRebuilt
		}
		r.Kept = append(r.Kept, k)
		if m := s.valid[i].m; m != nil && r.Archive == "" {
			r.Archive = m.Archive
		}
	}
	if r.Archive == "" && len(r.Kept) > 0 {
		return nil, fmt.Errorf("no readable object states the archive's id: %w", ErrDamaged)
	}
	return r, v.confirm(ctx, rawID)
}

// readExisting returns every snapshot that the record in force allows and whose manifest exists.
func (v *verifyRun) readExisting(ctx context.Context, h *head) (*ledgerView, error) {
	s := &ledgerView{head: h}
	newest, err := v.greatestManifest(ctx, h) // from a first listing, as in readLedgerView
	if err != nil {
		return nil, err
	}
	for f, err := range v.manifests(ctx, h) {
		if err != nil {
			return nil, err
		}
		if f.n > newest || !h.record.ValidNumber(f.n) {
			continue
		}
		s.valid = append(s.valid, snapshotEntry{kept: manifest.Kept{Ref: manifest.Ref{Sequence: f.n}}, object: f.object})
	}
	slices.Reverse(s.valid)
	if h.record != nil {
		for _, k := range h.record.Kept { // a missing one can be restored, so it stays
			if s.find(k.Sequence) == nil {
				s.insert(k)
			}
		}
	}
	listed := slices.Clone(s.valid)
	if err := v.readMembers(ctx, s, true); err != nil {
		return nil, err
	}
	if s.id != nil && s.record == nil && s.agreedArchiveID() == "" { // no manifest has archive.json's id, which may be damaged
		alone := &ledgerView{head: &head{ignored: h.ignored}, valid: listed}
		if err := v.readMembers(ctx, alone, true); err != nil {
			return nil, err
		}
		if alone.agreedArchiveID() != "" {
			s = alone
		}
	}
	return s, nil
}

// agreedArchiveID is the archive's id if all readable manifests agree on it; empty if they do not, or if there
// are none.
func (s *ledgerView) agreedArchiveID() string {
	id := ""
	for i := range s.valid {
		m := s.valid[i].m
		if m != nil && id != "" && m.Archive != id {
			return ""
		}
		if m != nil {
			id = m.Archive
		}
	}
	return id
}
