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
	"github.com/strongroom-dev/strongroom/store"
)

// putProof stores what was found, and returns under which key.
func (a *Archive) putProof(ctx context.Context, p *manifest.Proof) (key string, err error) {
	p.Format, p.Created = manifest.Format, p.Created.UTC().Truncate(time.Millisecond)
	if p.Node == "" {
		p.Node, _ = os.Hostname() // it is for people to read
	}
	b, err := p.Encode()
	if err != nil {
		return "", err
	}
	key = manifest.ProofKey(p.Created, p.Kind)
	if _, err := a.putBytes(ctx, key, b); err != nil {
		return key, fmt.Errorf("storing the proof: %w", err)
	}
	return key, nil
}

// LatestProof gives the newest proof of a kind that can be read; nil if there is none.
func (a *Archive) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	defer a.hold()()
	p, _, err := a.latestProof(ctx, kind, "")
	return p, err
}

// latestProof gives the newest proof of a kind with its key; nil if it is the one whose key
// is known, or there is none.
func (a *Archive) latestProof(ctx context.Context, kind, known string) (*manifest.Proof, string, error) {
	all, err := a.proofs(ctx)
	if err != nil {
		return nil, "", err
	}
	return a.newestProof(ctx, all[kind], kind, known)
}

func (a *Archive) newestProof(ctx context.Context, all []store.Object, kind, known string) (*manifest.Proof, string, error) {
	for _, o := range slices.Backward(all) {
		if o.Key == known {
			return nil, o.Key, nil
		}
		if p, err := a.readProof(ctx, o.Key, kind); p != nil || err != nil {
			return p, o.Key, err
		}
	}
	return nil, "", nil
}

// readProof reads a proof; nil if it cannot be read, as it is damaged or has gone.
func (a *Archive) readProof(ctx context.Context, key, kind string) (*manifest.Proof, error) {
	var p *manifest.Proof
	b, err := a.get(ctx, key, manifest.MaxProofBytes, func(b []byte) (err error) {
		p, err = manifest.DecodeProof(b)
		return err
	})
	switch {
	case err == nil && p.Kind == kind:
		return p, nil
	case b == nil && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("reading the latest proof: %w", err)
	}
	a.log.Warn("a proof cannot be read; an older one is used", "object", key, "error", err)
	return nil, nil
}

// proofs lists those of each kind, the oldest first by the provider's clock: a host whose own
// is ahead must not have the last word for ever, nor one whose is behind none.
func (a *Archive) proofs(ctx context.Context) (map[string][]store.Object, error) {
	found := map[string][]store.Object{}
	for o, err := range a.store.List(ctx, manifest.ProofsPrefix, "", "") {
		if err != nil {
			return nil, fmt.Errorf("listing the proofs: %w", err)
		}
		if _, kind, ok := manifest.ParseProofKey(o.Key); ok {
			found[kind] = append(found[kind], o)
		}
	}
	for _, all := range found {
		slices.SortStableFunc(all, func(a, b store.Object) int { return a.Modified.Compare(b.Modified) })
	}
	return found, nil
}

// knownBad are what a proof names as missing or damaged.
type knownBad struct {
	keys map[string]bool
	more map[[manifest.KeyPrefixLen]byte]bool
}

// knownBadOf gives those of a proof; none of none.
func knownBadOf(p *manifest.Proof) knownBad {
	b := knownBad{keys: map[string]bool{}}
	if p == nil {
		return b
	}
	b.more = p.More.Set()
	for i := range p.Problems {
		b.keys[p.Problems[i].Object] = true
	}
	return b
}

func (b knownBad) any() bool { return len(b.keys)+len(b.more) > 0 }

func (b knownBad) has(key string) bool {
	return b.keys[key] || len(b.more) > 0 && b.more[manifest.KeyPrefixOf(key)]
}

// readKnownBad are the objects that the latest look at the whole archive found missing or
// damaged: a backup stores what lies in them afresh (format.md, fine print).
func (a *Archive) readKnownBad(ctx context.Context, h *head) (knownBad, error) {
	if !h.hasProofs {
		return knownBad{}, nil
	}
	a.mu.Lock()
	known, bad := a.proofKey, a.proofKnownBad
	a.mu.Unlock()
	p, key, err := a.latestProof(ctx, manifest.ProofVerify, known)
	if err != nil {
		return knownBad{}, err
	}
	if key == known {
		return bad, nil
	}
	if p != nil && p.Archive != h.archiveID() {
		p = nil
	}
	bad = knownBadOf(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proofKey, a.proofKnownBad, a.findings = key, bad, findingsOf(p)
	return bad, nil
}

// VerifyFindings is what a verify of the whole archive found, whoever made it, and where.
type VerifyFindings struct {
	At        time.Time // when it began
	Objects   int64     // looked at
	Bytes     int64     // stored bytes of those
	ReadBytes int64     // plain bytes of what was read back
	Problems  int64
}

func findingsOf(p *manifest.Proof) *VerifyFindings {
	if p == nil {
		return nil
	}
	return &VerifyFindings{p.Created, p.Objects, p.Bytes, p.ReadBytes, int64(len(p.Problems) + len(p.More)/manifest.KeyPrefixLen)}
}

// LastFindings gives what the latest verify of the archive with this id found; nil if there
// was none.
func (a *Archive) LastFindings(ctx context.Context, id string) (*VerifyFindings, error) {
	p, err := a.LatestProof(ctx, manifest.ProofVerify)
	if err != nil || p == nil || p.Archive != id {
		return nil, err
	}
	return findingsOf(p), nil
}

// needsLostPage reports whether a page of the base is known to be missing or damaged.
func (r *backupRun) needsLostPage() bool {
	return r.knownBad.any() && r.head.base != nil &&
		slices.ContainsFunc(r.head.base.pages, func(p manifest.Page) bool { return r.knownBad.has(p.Ref.Object) })
}

// needsLostObject reports whether a part of a file is known to be missing or damaged.
func (r *backupRun) needsLostObject(f *manifest.File) bool {
	return r.knownBad.any() && slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { return r.knownBad.has(p.Object) })
}
