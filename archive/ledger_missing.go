package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// addMissing adds the snapshots whose manifests are missing although another source names them: the next
// manifest as its parent, or this host's local state. Snapshots that a record has dropped are not added. A
// record that did not keep the missing ones would make them invalid for good. A prune would then delete
// their objects, and no repair could restore them.
func (a *Archive) addMissing(ctx context.Context, s *ledgerView) error {
	missing, err := a.missingManifests(s)
	if err != nil {
		return err
	}
	var all []snapshotEntry
	for n, claim := range missing {
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

// hashClaim is a manifest's hash as a source other than the manifest states it.
type hashClaim struct {
	hash      manifest.Hash
	claimedBy string // a clause for messages, such as "manifest 5 names it as its parent"
}

// missingManifests returns the manifests that should be listed and are not, by number.
func (a *Archive) missingManifests(s *ledgerView) (map[int64]hashClaim, error) {
	found := map[int64]hashClaim{}
	note := func(n int64, c hashClaim) {
		if n < s.newestValid() && !s.record.Lacks(n) && s.find(n) == nil {
			found[n] = c
		}
	}
	seen, err := a.loadPin(s.archiveID())
	if err != nil {
		return nil, err
	}
	if seen != nil {
		for i := range seen.Anomalies {
			n, isManifest := manifest.ParseManifestKey(seen.Anomalies[i].Object)
			if sum, err := manifest.ParseHash(seen.Anomalies[i].Was); isManifest && err == nil {
				note(n, hashClaim{sum, "this host has seen it"})
			}
		}
	}
	for i := range s.valid {
		if m := s.valid[i].asRead; m != nil && m.Parent != nil { // this overrides the local state's claim
			note(m.Parent.Sequence, hashClaim{m.Parent.SHA256, fmt.Sprintf("manifest %d names it as its parent", m.Sequence)})
		}
	}
	return found, nil
}

// confirmMissing checks once more that a manifest is missing, and returns errGone if it is not: it may have
// been created during the listing, or pruned since the ledger was read.
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
