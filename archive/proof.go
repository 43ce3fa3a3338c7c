package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// putProof stores what was found.
func (a *Archive) putProof(ctx context.Context, p *manifest.Proof) error {
	p.Format, p.Created = manifest.Format, p.Created.UTC().Truncate(time.Millisecond)
	if p.Node == "" {
		p.Node, _ = os.Hostname() // it is for people to read
	}
	b, err := p.Encode()
	if err != nil {
		return err
	}
	if _, err := a.putBytes(ctx, manifest.ProofKey(p.Created, p.Kind), b); err != nil {
		return fmt.Errorf("storing the proof: %w", err)
	}
	return nil
}

// LatestProof gives the newest proof of a kind that can be read; nil if there is none.
func (a *Archive) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	p, _, err := a.latestProof(ctx, kind, "")
	return p, err
}

// latestProof gives the newest proof of a kind with its key; nil if it is the one whose key
// is known, or there is none.
func (a *Archive) latestProof(ctx context.Context, kind, known string) (*manifest.Proof, string, error) {
	found, err := a.proofs(ctx, kind, manifest.ProofKey(time.Now().Add(-recentProofs), "a"))
	if err == nil && len(found) == 0 {
		found, err = a.proofs(ctx, kind, "")
	}
	if err != nil {
		return nil, "", err
	}
	// By the provider's clock: a host whose own is ahead must not have the last word for ever.
	slices.SortStableFunc(found, func(a, b Object) int { return a.Modified.Compare(b.Modified) })
	for _, o := range slices.Backward(found) {
		key := o.Key
		if key == known {
			return nil, key, nil
		}
		var p *manifest.Proof
		b, err := a.get(ctx, key, manifest.MaxProofBytes, func(b []byte) (err error) {
			p, err = manifest.DecodeProof(b)
			return err
		})
		switch {
		case err == nil && p.Kind == kind:
			return p, key, nil
		case b == nil && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTooLarge):
			return nil, "", fmt.Errorf("reading the latest proof: %w", err)
		}
		a.log.Warn("a proof cannot be read; an older one is used", "object", key, "error", err)
	}
	return nil, "", nil
}

// recentProofs is how far back the latest proof is looked for at first: without a prune
// they become ever more.
const recentProofs = 100 * 24 * time.Hour

// proofs lists those of a kind.
func (a *Archive) proofs(ctx context.Context, kind, after string) ([]Object, error) {
	var found []Object
	for o, err := range a.store.List(ctx, manifest.ProofsPrefix, "", after) {
		if err != nil {
			return nil, fmt.Errorf("listing the proofs: %w", err)
		}
		if _, k, ok := manifest.ParseProofKey(o.Key); ok && k == kind {
			found = append(found, o)
		}
	}
	return found, nil
}

// absent are the objects that the latest look at the whole archive found missing or
// damaged: a backup stores what lies in them afresh (format.md, fine print).
func (a *Archive) absent(ctx context.Context, h *head) (map[string]bool, error) {
	if !h.hasProofs {
		return nil, nil
	}
	a.mu.Lock()
	known, bad := a.proofKey, a.proofBad
	a.mu.Unlock()
	p, key, err := a.latestProof(ctx, manifest.ProofVerify, known)
	if err != nil {
		return nil, err
	}
	if key == known {
		return bad, nil
	}
	bad = map[string]bool{}
	if p != nil && p.Archive == h.archiveID() {
		for i := range p.Problems {
			if _, ok := manifest.ParseObjectKey(p.Problems[i].Object); ok {
				bad[p.Problems[i].Object] = true
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proofKey, a.proofBad = key, bad
	return bad, nil
}

// lostPage reports whether a page of the base is known to be missing or damaged.
func (r *backupRun) lostPage() bool {
	return len(r.absent) > 0 && r.head.base != nil &&
		slices.ContainsFunc(r.head.base.pages, func(p manifest.Page) bool { return r.absent[p.Ref.Object] })
}

// lost reports whether a part of a file is known to be missing or damaged.
func (r *backupRun) lost(f *manifest.File) bool {
	return len(r.absent) > 0 && slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { return r.absent[p.Object] })
}
