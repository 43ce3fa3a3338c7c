package archive

import (
	"fmt"
)

// crossCheckHashes holds each manifest that the ledger does not know yet against what is known of it
// elsewhere: its child names its hash, and this host may have seen it. A record must not say
// a hash that is not the right one, or nothing could be put right later; and what a manifest
// with a flipped bit names is not what its snapshot needs. One that cannot be read goes into
// the record as it should be. One that can, and contradicts, goes into none: its child may
// have found it damaged, and it was put back since.
func (a *Archive) crossCheckHashes(s *ledgerView) {
	claims := map[int64][]hashClaim{}
	if seen := a.loadPin(s.archiveID()); seen != nil {
		claims[seen.Newest.Sequence] = []hashClaim{{seen.Newest.SHA256, "this host has seen it"}}
	}
	for i := len(s.valid) - 1; i >= 0; i-- { // a child comes after its parent
		m := &s.valid[i]
		n := m.kept.Sequence
		if !m.isInLedger {
			readable := m.m != nil
			m.isUnverifiable = !readable && len(claims[n]) == 0
			for k, c := range claims[n] {
				if c.hash == m.kept.SHA256 {
					continue
				}
				m.err = fmt.Errorf("manifest %d hashes to %s, and %s as %s: %w", n, m.kept.SHA256, c.claimedBy, c.hash, ErrDamaged)
				m.m, m.kept.SHA256, m.isUnverifiable = nil, c.hash, readable || k > 0
			}
		}
		if m.m != nil && m.m.Parent != nil {
			p := m.m.Parent
			claims[p.Sequence] = append(claims[p.Sequence], hashClaim{p.SHA256, fmt.Sprintf("manifest %d knows it", n)})
		}
	}
}

// checkUnverifiable refuses a record that would keep a manifest of which it is not clear what its hash
// should be, or what it follows: what is below it may be gone as well, and would be void.
func (s *ledgerView) checkUnverifiable(what *recordPlan) error {
	for i := range what.kept {
		n := what.kept[i].Sequence
		m := s.find(n)
		if m != nil && m.asRead == nil && m.err != nil && !m.isInLedger && n > 1 && s.find(n-1) == nil && !s.record.Lacks(n-1) {
			return fmt.Errorf("manifest %d cannot be read, so that nobody knows whether there is a snapshot %d, whose manifest would be gone, and no record of the ledger can be written: mend it (strongroom verify --repair), or give it up (strongroom prune --forget %d): %w", n, n-1, n, m.err)
		}
		if m != nil && m.isUnverifiable {
			return fmt.Errorf("it is not clear what the hash of manifest %d should be, so no record of the ledger can name it: mend it (strongroom verify --repair) or give it up (strongroom prune --forget %d); or, if it is the newest, make a backup, which goes on from an older one: %w", n, n, m.err)
		}
	}
	return nil
}
