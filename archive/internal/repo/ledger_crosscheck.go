package repo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/values"
)

// crossCheckHashes compares each manifest that is not in the ledger with two other sources: the parent hash
// in its child, and the pin in this host's local state. A wrong hash in a record could never be corrected,
// and a manifest with a flipped bit may name other objects than its snapshot needs. Therefore:
//
//  1. An unreadable manifest is recorded with the hash that the other sources claim.
//  2. A readable manifest that contradicts a claim is not recorded. Its child may have recorded it while it
//     was damaged, and a repair may have restored it since.
func (a *Repo) crossCheckHashes(s *LedgerView) error {
	claims := map[int64][]hashClaim{}
	seen, err := a.LoadPin(s.ArchiveID())
	if err != nil {
		return err
	}
	if seen != nil {
		claims[seen.Newest.Sequence] = []hashClaim{{seen.Newest.SHA256, "this host has seen it"}}
	}
	for i := len(s.Valid) - 1; i >= 0; i-- { // a child comes after its parent
		m := &s.Valid[i]
		n := m.Kept.Sequence
		if !m.IsInLedger {
			readable := m.Summary != nil
			m.IsUnverifiable = !readable && len(claims[n]) == 0
			for k, c := range claims[n] {
				if c.Hash == m.Kept.SHA256 {
					continue
				}
				m.Err = fmt.Errorf("manifest %d hashes to %s, and %s as %s: %w",
					n, m.Kept.SHA256, c.claimedBy, c.Hash, values.ErrDamaged)
				m.Summary, m.Kept.SHA256, m.IsUnverifiable = nil, c.Hash, readable || k > 0
			}
		}
		if m.Summary != nil && m.Summary.Parent != nil {
			p := m.Summary.Parent
			claims[p.Sequence] = append(claims[p.Sequence], hashClaim{p.SHA256, fmt.Sprintf("manifest %d names it", n)})
		}
	}
	return nil
}

// checkUnverifiable refuses a record that would keep a manifest whose correct hash or whose parent is
// unknown. The manifests below it may be missing as well, and the record would make them invalid.
func (s *LedgerView) checkUnverifiable(what *RecordPlan) error {
	var gaps, missing, unknown []string
	var gap, hash error // the first of each kind
	for i := range what.Kept {
		n := what.Kept[i].Sequence
		m := s.Find(n)
		if m != nil && m.AsRead == nil && m.Err != nil && !m.IsInLedger && n > 1 && s.Find(n-1) == nil && !s.Record.Lacks(n-1) {
			missing = append(missing, strconv.FormatInt(n-1, 10))
			if gaps = append(gaps, strconv.FormatInt(n, 10)); gap == nil {
				gap = m.Err
			}
		}
		if m != nil && m.IsUnverifiable {
			if unknown = append(unknown, strconv.FormatInt(n, 10)); hash == nil {
				hash = m.Err
			}
		}
	}
	switch {
	case len(gaps) > 0: // all are named: one that stays would keep the others from being forgotten
		return fmt.Errorf("manifest %s is unreadable, so snapshot %s may be missing and no ledger record "+
			"can be written; repair the manifest or forget snapshot %s: %w",
			strings.Join(gaps, ", and manifest "), strings.Join(missing, " and "), strings.Join(gaps, " and "), gap)
	case len(unknown) > 0:
		return fmt.Errorf("the correct hash of manifest %s is unknown, so no ledger record can name it; "+
			"repair the manifest or forget snapshot %s, or, if it is the newest, make a backup, "+
			"which continues from an older one: %w",
			strings.Join(unknown, ", and of manifest "), strings.Join(unknown, " and "), hash)
	}
	return nil
}
