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

// WhyRebuilt is why snapshots are held after the ledger's newest record was damaged.
const WhyRebuilt = "the ledger was damaged, and may have held this one"

// repairLedger writes a new record of the ledger if the newest one is damaged, which nobody
// has a copy of: each copy has a ledger of its own. By the new one every snapshot is kept whose
// manifest is there, also those that were void, and all are held: what was held must not go
// because nobody remembers. Somebody has to say which may go.
func (v *verifyRun) repairLedger(ctx context.Context) error {
	n, err := v.greatestRecord(ctx)
	if err != nil || n == 0 {
		return err
	}
	damage := v.readRecord(ctx, &head{}, n)
	if !errors.Is(damage, ErrDamaged) || errors.Is(damage, manifest.ErrVersion) {
		return nil // whatever else is amiss is told by who reads it next
	}
	key := manifest.LedgerKey(n)
	sum, err := v.hash(ctx, key)
	if err != nil {
		return err
	}
	record, err := v.rebuildLedger(ctx, manifest.RecordRef{Number: n, SHA256: sum})
	if err != nil {
		return fmt.Errorf("%w; it cannot be mended: %w", damage, err)
	}
	switch err := v.writeRecord(ctx, record); {
	case errors.Is(err, errRaced):
		return nil // somebody else has written one, which counts
	case err != nil:
		return err
	}
	v.report.Repaired = append(v.report.Repaired, Problem{
		Object: key, What: "content",
		Detail: fmt.Sprintf("%v; record %d takes its place, and holds every snapshot: release what was not held", damage, record.Number),
	})
	return nil
}

// rebuildLedger is a record by which all is kept and held that is there.
func (v *verifyRun) rebuildLedger(ctx context.Context, parent manifest.RecordRef) (*manifest.Record, error) {
	s := &ledgerView{head: &head{}}
	if err := v.readID(ctx, s.head); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rawID := s.rawID
	newest, err := v.greatestManifest(ctx) // by a listing before, as any record: see stand
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
	if s.id != nil && s.agreedArchiveID() == "" { // no manifest says the same as archive.json, which may be what is wrong
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
		return nil, fmt.Errorf("nothing that can be read tells whose the archive is: %w", ErrDamaged)
	}
	return r, v.confirm(ctx, rawID)
}

// usePreviousRecord takes the word of the record before, if it is there, for the manifests of which
// nothing else tells the right hash: such as one that was put back, and that its child names as
// it was when it was damaged.
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

// agreedArchiveID is the archive's id as all manifests tell it that can be read and belong to the archive;
// empty: there are none, or they do not agree.
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
