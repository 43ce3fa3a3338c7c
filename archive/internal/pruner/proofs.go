package pruner

import (
	"context"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Verification records are kept for a year, and the last ones of each kind regardless of their age (format.md,
// fine print). A clock may decide here, since no restore needs a verification record.
const (
	proofAge  = 365 * 24 * time.Hour
	proofLast = 3
)

// cleanProofs deletes old verification records.
func (p *pruneRun) cleanProofs(ctx context.Context) error {
	stay := map[string]bool{}
	kinds := []string{manifest.ProofVerify, manifest.ProofRead, manifest.ProofDrill}
	all, err := p.repo.Findings.Proofs(ctx)
	if err != nil {
		return err
	}
	for _, of := range all {
		for _, o := range of[max(0, len(of)-proofLast):] {
			stay[o.Key] = true
		}
	}
	before := time.Now().Add(-proofAge)
	if err := p.keepNaming(ctx, all[manifest.ProofVerify], before, stay); err != nil {
		return err
	}
	return p.applyRule(ctx, &sweepRule{manifest.ProofsPrefix, func(c *values.PruneCounts) *int { return &c.Proofs }, func(o store.Object) (string, bool) {
		at, kind, ok := manifest.ParseProofKey(o.Key)
		return "a verification record over a year old, with later ones of its kind",
			ok && slices.Contains(kinds, kind) && at.Before(before) && !stay[o.Key]
	}})
}

// keepNaming adds the records that are the last to name an object that a kept snapshot needs. A key's time is that of
// the host that made the record, and later records may be forged.
func (p *pruneRun) keepNaming(ctx context.Context, records []store.Object, before time.Time, stay map[string]bool) error {
	if !slices.ContainsFunc(records, func(o store.Object) bool {
		at, _, ok := manifest.ParseProofKey(o.Key)
		return ok && at.Before(before) && !stay[o.Key]
	}) {
		return nil
	}
	l, err := p.repo.Findings.DamageLogOf(ctx, p.record.Archive, records)
	if err != nil {
		return err
	}
	inFull := map[[manifest.KeyPrefixLen]byte]bool{}
	for key := range l.Keys {
		mark := manifest.KeyPrefixOf(key)
		inFull[mark] = true
		if p.marks.has(key) {
			stay[l.Named[mark].Record] = true
		}
	}
	for mark, n := range l.Named {
		if !inFull[mark] { // its key is unknown
			stay[n.Record] = true
		}
	}
	return nil
}
