package archive

import (
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A claim is what something else than a manifest says of its hash.
type claim struct {
	sum  manifest.Hash
	by   string // "manifest 8 knows it"
	sure bool   // who says so is known to be right itself
}

// vouch holds each manifest that the ledger does not know yet against what is known of it
// elsewhere: its child names its hash, and this host may have seen it. A record must not say
// a hash that is not the right one, or nothing could be put right later; and what a manifest
// with a flipped bit names is not what its snapshot needs. One that contradicts is damaged,
// and goes into the record as it should be.
func (a *Archive) vouch(s *standing) {
	claims := map[int64]claim{}
	if seen := a.remembered(s.archiveID()); seen != nil {
		claims[seen.Newest.Sequence] = claim{seen.Newest.SHA256, "this host has seen it", true}
	}
	for i := len(s.valid) - 1; i >= 0; i-- { // a child comes after its parent
		m := &s.valid[i]
		n := m.kept.Sequence
		c, claimed := claims[n]
		sure := m.known || claimed && c.sum == m.kept.SHA256
		switch readable := m.m != nil; {
		case sure:
		case !claimed:
			m.lost = !readable
		default:
			m.err = fmt.Errorf("manifest %d hashes to %s, and %s as %s: %w", n, m.kept.SHA256, c.by, c.sum, ErrDamaged)
			m.lost = readable && !c.sure // one of the two is damaged, and who knows which
			m.m, m.kept.SHA256 = nil, c.sum
		}
		if m.m == nil || m.m.Parent == nil {
			continue
		}
		if p := m.m.Parent; claims[p.Sequence].by == "" {
			claims[p.Sequence] = claim{p.SHA256, fmt.Sprintf("manifest %d knows it", n), sure}
		}
	}
}

// checkLost refuses a record that would keep a manifest of which nobody knows the hash.
func (s *standing) checkLost(what *amendment) error {
	for i := range what.kept {
		n := what.kept[i].Sequence
		if m := s.find(n); m != nil && m.lost {
			return fmt.Errorf("nothing tells what the hash of manifest %d should be, so no record of the ledger can name it: mend it (strongroom verify --repair), or, if it is the newest, make a backup, which goes on from an older one: %w", n, m.err)
		}
	}
	return nil
}
