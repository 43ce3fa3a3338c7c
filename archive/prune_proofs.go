package archive

import (
	"context"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Proofs are kept for a year, and the last of each kind however old they are (format.md,
// fine print). These go by the clock: nothing is restored from a proof.
const (
	proofAge  = 365 * 24 * time.Hour
	proofLast = 3
)

// cleanProofs removes old proofs.
func (p *pruneRun) cleanProofs(ctx context.Context) error {
	stay := map[string]bool{}
	kinds := []string{manifest.ProofVerify, manifest.ProofRead, manifest.ProofDrill}
	all, err := p.proofs(ctx)
	if err != nil {
		return err
	}
	for _, of := range all {
		for _, o := range of[max(0, len(of)-proofLast):] {
			stay[o.Key] = true
		}
	}
	before := time.Now().Add(-proofAge)
	return p.applyRule(ctx, &sweepRule{manifest.ProofsPrefix, func(c *PruneCounts) *int { return &c.Proofs }, func(o store.Object) (string, bool) {
		at, kind, ok := manifest.ParseProofKey(o.Key)
		return "there are later proofs of its kind, and it is over a year old", ok && slices.Contains(kinds, kind) && at.Before(before) && !stay[o.Key]
	}})
}
