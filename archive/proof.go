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

// putProof stores a verification record, and returns its key.
func (a *Archive) putProof(ctx context.Context, p *manifest.Proof) (key string, err error) {
	p.Format, p.Created = manifest.Format, p.Created.UTC().Truncate(time.Millisecond)
	if p.Node == "" {
		p.Node, _ = os.Hostname() // for operators only
	}
	b, err := p.Encode()
	if err != nil {
		return "", err
	}
	key = manifest.ProofKey(p.Created, p.Kind)
	if _, err := a.putBytes(ctx, key, b); err != nil {
		return key, fmt.Errorf("storing the verification record: %w", err)
	}
	return key, nil
}

// LatestProof returns the newest readable verification record of a kind; nil if there is none.
func (a *Archive) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	defer a.hold()()
	p, _, err := a.latestProof(ctx, kind, "")
	return p, err
}

// latestProof returns the newest readable verification record of a kind with its key. The record is nil if its
// key is known, or if there is none.
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

// readProof reads a verification record; nil if it is damaged or was deleted.
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
		return nil, fmt.Errorf("reading the latest verification record: %w", err)
	}
	a.log.Warn("a verification record is unreadable; an older one is used", "object", key, "error", err)
	return nil, nil
}

// proofs lists the verification records of each kind, the oldest first by the provider's clock. By the clocks
// of the hosts, the record of a host whose clock is ahead would stay the newest.
func (a *Archive) proofs(ctx context.Context) (map[string][]store.Object, error) {
	found := map[string][]store.Object{}
	for o, err := range a.store.List(ctx, manifest.ProofsPrefix, "", "") {
		if err != nil {
			return nil, fmt.Errorf("listing the verification records: %w", err)
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

// knownBad are the objects that a verification record names as missing or damaged.
type knownBad struct {
	keys map[string]bool
	more map[[manifest.KeyPrefixLen]byte]bool
}

// knownBadOf returns the bad objects in a verification record; none for nil.
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

// readKnownBad returns the objects that the latest verify of the whole archive found missing or damaged. A
// backup stores the files in them again (format.md, fine print).
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

// VerifyFindings is what a verify of the whole archive found, on this host or another.
type VerifyFindings struct {
	At        time.Time // when the verify began
	Objects   int64     // the number of objects that it checked
	Bytes     int64     // stored bytes of these objects
	ReadBytes int64     // plain bytes that were read back
	Problems  int64
}

func findingsOf(p *manifest.Proof) *VerifyFindings {
	if p == nil {
		return nil
	}
	return &VerifyFindings{p.Created, p.Objects, p.Bytes, p.ReadBytes, int64(len(p.Problems) + len(p.More)/manifest.KeyPrefixLen)}
}

// LastFindings returns what the latest verify of the archive with this id found; nil if there was none.
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
