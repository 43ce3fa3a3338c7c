package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// WhyRebuilt is the reason of the holds in a record that replaces a damaged one.
const WhyRebuilt = "the ledger was damaged, and may have held this one"

// repairLedger writes a new ledger record if the newest one is damaged. No copy has the damaged record, since
// each copy has its own ledger. The new record keeps every snapshot whose manifest exists, even if it was not
// valid before. All are held, since the lost record may have held any of them; an operator releases those that
// were not held.
func (v *verifyRun) repairLedger(ctx context.Context) error {
	n, err := v.greatestRecord(ctx)
	if err != nil || n == 0 {
		return err
	}
	damage := v.readRecord(ctx, &head{}, n)
	if !errors.Is(damage, ErrDamaged) || errors.Is(damage, manifest.ErrVersion) {
		return nil // the next read of the record reports any other error
	}
	key := manifest.LedgerKey(n)
	sum, err := v.hash(ctx, key)
	if err != nil {
		return err
	}
	record, err := v.rebuildLedger(ctx, manifest.RecordRef{Number: n, SHA256: sum})
	if err != nil {
		return fmt.Errorf("%w; it cannot be repaired: %w", damage, err)
	}
	switch err := v.writeRecord(ctx, record); {
	case errors.Is(err, errRaced):
		return nil // another writer has created the record, which is now in force
	case err != nil:
		return err
	}
	v.report.Repaired = append(v.report.Repaired, Problem{
		Object: key, Kind: ProblemContent,
		Detail: fmt.Sprintf("%v; record %d replaces it and holds every snapshot; release those that were not held",
			damage, record.Number),
	})
	return nil
}

// rebuildLedger returns a record that keeps and holds every snapshot whose manifest exists.
func (v *verifyRun) rebuildLedger(ctx context.Context, parent manifest.RecordRef) (*manifest.Record, error) {
	s := &ledgerView{head: &head{}}
	if err := v.readID(ctx, s.head); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rawID := s.rawID
	newest, err := v.greatestManifest(ctx) // from a first listing, as in readLedgerView
	if err != nil {
		return nil, err
	}
	for f, err := range v.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey) {
		if err != nil {
			return nil, err
		}
		if f.n > newest {
			continue
		}
		s.valid = append(s.valid, snapshotEntry{kept: manifest.Kept{Ref: manifest.Ref{Sequence: f.n}}, object: f.object})
	}
	slices.Reverse(s.valid)
	listed := slices.Clone(s.valid)
	if err := v.readMembers(ctx, s, true); err != nil {
		return nil, err
	}
	if s.id != nil && s.agreedArchiveID() == "" { // no manifest has the id in archive.json, which may be damaged
		alone := &ledgerView{head: &head{}, valid: listed}
		if err := v.readMembers(ctx, alone, true); err != nil {
			return nil, err
		}
		if alone.agreedArchiveID() != "" {
			s = alone
		}
	}
	if err := v.usePreviousRecord(ctx, s, parent.Number-1); err != nil {
		return nil, err
	}
	r := &manifest.Record{
		Format: manifest.Format, Archive: s.archiveID(), Number: parent.Number + 1, Parent: &parent,
		Created: time.Now().UTC(), Why: "verify --repair", Newest: s.newestValid(),
	}
	for i := range s.valid {
		k := s.valid[i].kept
		k.Held = WhyRebuilt
		r.Kept = append(r.Kept, k)
		if m := s.valid[i].m; m != nil && r.Archive == "" {
			r.Archive = m.Archive
		}
	}
	if r.Archive == "" {
		return nil, fmt.Errorf("no readable object states the archive's id: %w", ErrDamaged)
	}
	return r, v.confirm(ctx, rawID)
}

// usePreviousRecord takes hashes from the previous record, if it exists, for manifests whose correct hash no
// other source states. An example is a repaired manifest whose child names the hash of its damaged bytes.
func (v *verifyRun) usePreviousRecord(ctx context.Context, s *ledgerView, n int64) error {
	if n == 0 {
		return nil
	}
	var h head
	switch err := v.readRecord(ctx, &h, n); {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged):
		return nil
	case err != nil:
		return err
	}
	for _, k := range h.record.Kept {
		if m := s.find(k.Sequence); m != nil && m.isUnverifiable {
			m.kept.SHA256, m.isUnverifiable = k.SHA256, false
		}
	}
	return nil
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
