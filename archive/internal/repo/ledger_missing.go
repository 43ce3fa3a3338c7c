package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// addMissing adds the snapshots whose manifests are missing although another source names them: the next
// manifest as its parent, or this host's local state. Snapshots that a record has dropped are not added. A
// record that did not keep the missing ones would make them invalid for good. A prune would then delete
// their objects, and no repair could restore them.
func (a *Repo) addMissing(ctx context.Context, s *LedgerView) error {
	missing, err := a.MissingManifests(s)
	if err != nil {
		return err
	}
	var all []SnapshotEntry
	for n, claim := range missing {
		if err := a.confirmMissing(ctx, s, n); err != nil {
			return err
		}
		all = append(all, SnapshotEntry{
			Kept: manifest.Kept{Ref: manifest.Ref{Sequence: n, SHA256: claim.Hash}},
			Err:  fmt.Errorf("%s is missing, and %s: %w", manifest.ManifestKey(n), claim.claimedBy, values.ErrDamaged),
		})
	}
	s.Valid = append(s.Valid, all...)
	slices.SortFunc(s.Valid, func(a, b SnapshotEntry) int { return int(a.Kept.Sequence - b.Kept.Sequence) })
	return nil
}

// hashClaim is a manifest's hash as a source other than the manifest states it.
type hashClaim struct {
	Hash      manifest.Hash
	claimedBy string // a clause for messages, such as "manifest 5 names it as its parent"
}

// MissingManifests returns the manifests that should be listed and are not, by number.
func (a *Repo) MissingManifests(s *LedgerView) (map[int64]hashClaim, error) {
	found := map[int64]hashClaim{}
	note := func(n int64, c hashClaim) {
		if n < s.NewestValid() && !s.Record.Lacks(n) && s.Find(n) == nil {
			found[n] = c
		}
	}
	seen, err := a.LoadPin(s.ArchiveID())
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
	for i := range s.Valid {
		if m := s.Valid[i].AsRead; m != nil && m.Parent != nil { // this overrides the local state's claim
			note(m.Parent.Sequence, hashClaim{m.Parent.SHA256, fmt.Sprintf("manifest %d names it as its parent", m.Sequence)})
		}
	}
	return found, nil
}

// confirmMissing checks once more that a manifest is missing, and returns ErrGone if it is not: it may have
// been created during the listing, or pruned since the ledger was read.
func (a *Repo) confirmMissing(ctx context.Context, s *LedgerView, n int64) error {
	key := manifest.ManifestKey(n)
	if _, err := a.Store.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s was not listed: %w", key, objects.ErrGone)
		}
		return err
	}
	now, err := a.RereadLedger(ctx)
	if err == nil && now.Ledger != s.Ledger {
		err = fmt.Errorf("%s: %w", key, objects.ErrGone)
	}
	return err
}
