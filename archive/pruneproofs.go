package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Proofs are kept for a year, and the last of each kind however old they are (format.md,
// fine print). These go by the clock: nothing is restored from a proof.
const (
	proofAge  = 365 * 24 * time.Hour
	proofLast = 3
)

// cleanProofs removes old proofs.
func (p *pruning) cleanProofs(ctx context.Context) error {
	ofKind := map[string]int{}
	for o, err := range p.store.List(ctx, manifest.ProofsPrefix, "", "") {
		if err != nil {
			return fmt.Errorf("listing %s: %w", manifest.ProofsPrefix, err)
		}
		if _, kind, ok := manifest.ParseProofKey(o.Key); ok {
			ofKind[kind]++
		}
	}
	before := time.Now().Add(-proofAge)
	return p.sift(ctx, &sieve{manifest.ProofsPrefix, func(c *PruneCounts) *int { return &c.Proofs }, func(o Object) (string, bool) {
		at, kind, ok := manifest.ParseProofKey(o.Key)
		if !ok || !at.Before(before) || ofKind[kind] <= proofLast {
			return "", false
		}
		ofKind[kind]-- // listed by time, the oldest first
		return "there are later proofs of its kind, and it is over a year old", true
	}})
}
