package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// addMissing adds the snapshots that there must be by what is known elsewhere, and whose
// manifests are gone: the one that follows names it as its parent, or this host has seen it,
// and no record has dropped it. A record that did not keep them would make them void for good,
// and a prune would take what they need: nothing could put them back any more.
func (a *Archive) addMissing(ctx context.Context, s *ledgerView) error {
	var all []snapshotEntry
	for n, claim := range a.missingManifests(s) {
		if err := a.confirmMissing(ctx, s, n); err != nil {
			return err
		}
		all = append(all, snapshotEntry{
			kept: manifest.Kept{Ref: manifest.Ref{Sequence: n, SHA256: claim.hash}},
			err:  fmt.Errorf("%s is missing, and %s: %w", manifest.ManifestKey(n), claim.claimedBy, ErrDamaged),
		})
	}
	s.valid = append(s.valid, all...)
	slices.SortFunc(s.valid, func(a, b snapshotEntry) int { return int(a.kept.Sequence - b.kept.Sequence) })
	return nil
}

// A claim is what is known of a manifest's hash elsewhere.
type hashClaim struct {
	hash      manifest.Hash
	claimedBy string
}

// missingManifests are the manifests that are not listed and should be, by number.
func (a *Archive) missingManifests(s *ledgerView) map[int64]hashClaim {
	found := map[int64]hashClaim{}
	note := func(n int64, c hashClaim) {
		if n < s.newestValid() && !s.record.Lacks(n) && s.find(n) == nil {
			found[n] = c
		}
	}
	if seen := a.loadPin(s.archiveID()); seen != nil {
		for i := range seen.Anomalies {
			n, isManifest := manifest.ParseManifestKey(seen.Anomalies[i].Object)
			if sum, err := manifest.ParseHash(seen.Anomalies[i].Was); isManifest && err == nil {
				note(n, hashClaim{sum, "this host has seen it"})
			}
		}
	}
	for i := range s.valid {
		if m := s.valid[i].asRead; m != nil && m.Parent != nil { // the better witness: it is in the archive
			note(m.Parent.Sequence, hashClaim{m.Parent.SHA256, fmt.Sprintf("manifest %d names it as its parent", m.Sequence)})
		}
	}
	return found
}

// confirmMissing looks once more: a manifest may have been created while the listing was under
// way, or pruned since the ledger was read.
func (a *Archive) confirmMissing(ctx context.Context, s *ledgerView, n int64) error {
	key := manifest.ManifestKey(n)
	if _, err := a.store.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s was not listed: %w", key, errGone)
		}
		return err
	}
	now, err := a.rereadLedger(ctx)
	if err == nil && now.ledger != s.ledger {
		err = fmt.Errorf("%s: %w", key, errGone)
	}
	return err
}
