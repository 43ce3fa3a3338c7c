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
	all, err := a.proofs(ctx)
	if err != nil {
		return nil, err
	}
	return a.newestProof(ctx, all[kind], kind, "")
}

// newestProof returns the newest readable one of some verification records, of the archive with this id or, if it is
// empty, of any; nil if there is none.
func (a *Archive) newestProof(ctx context.Context, all []store.Object, kind, id string) (*manifest.Proof, error) {
	for _, o := range slices.Backward(all) {
		p, err := a.readProof(ctx, o.Key, kind)
		if err != nil || p != nil && (id == "" || p.Archive == id) {
			return p, err
		}
	}
	return nil, nil
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

// knownBad are the objects that count as missing or damaged: those that the latest verification record names, but for
// the places that are intact all the same, and the places that only an earlier record names.
type knownBad struct {
	keys         map[string]bool
	more         map[[manifest.KeyPrefixLen]byte]bool
	intact, lost map[string]bool // by placeOf; settle fills them in
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

func (b knownBad) any() bool { return len(b.keys)+len(b.more)+len(b.lost) > 0 }

// has reports whether the latest verification record names an object.
func (b knownBad) has(key string) bool {
	return b.keys[key] || len(b.more) > 0 && b.more[manifest.KeyPrefixOf(key)]
}

func (b knownBad) hasPart(p *manifest.Part) bool {
	return b.any() && b.hasPlace(p.Object, placeOf(p))
}

func (b knownBad) hasPlace(object, place string) bool {
	return b.lost[place] || !b.intact[place] && b.has(object)
}

// readKnownBad returns the objects of the base snapshot that verifies of the whole archive found missing or damaged. A
// backup stores the files in them again (format.md, fine print).
func (a *Archive) readKnownBad(ctx context.Context, h *head) (knownBad, error) {
	if !h.hasProofs || h.archiveID() == "" {
		return knownBad{}, nil
	}
	l, err := a.readDamageLog(ctx, h.archiveID())
	if err != nil || h.base == nil {
		return knownBad{}, err
	}
	if bad, ok := a.settledFor(l, h.base.ref); ok {
		return bad, nil
	}
	if !h.base.m.IsWhole() && (len(l.named) > 0 || l.latestBad.any()) {
		return knownBad{}, errNeedsWhole
	}
	bad, err := a.settle(ctx, l, h.base.m.Files, h.base.pages)
	if err != nil {
		return knownBad{}, err
	}
	a.keepSettled(h.base.ref, bad)
	return bad, nil
}

// settledFor returns the result of settle for a snapshot, if the last call was for it and for the same records.
func (a *Archive) settledFor(l *damageLog, base manifest.Ref) (knownBad, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled.bad, a.settled.log == l && a.settled.base == base
}

// keepSettled keeps the result of settle for the next backup.
func (a *Archive) keepSettled(base manifest.Ref, bad knownBad) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = settled{a.damage, base, bad} // settle may have added its notes to the log
}

// settled is the result of settle for a snapshot.
type settled struct {
	log  *damageLog
	base manifest.Ref
	bad  knownBad
}

// VerifyFindings is what a verify of the whole archive found, on this host or another.
type VerifyFindings struct {
	At        time.Time // when the verify began
	Objects   int64     // the number of objects that it checked
	Bytes     int64     // stored bytes of these objects
	ReadBytes int64     // plain bytes that were read back
	Problems  int64
	First     []Problem // the first of the problems, at most maxFirst
}

// maxFirst is the number of problems that VerifyFindings name.
const maxFirst = 10

func findingsOf(p *manifest.Proof) *VerifyFindings {
	if p == nil {
		return nil
	}
	f := &VerifyFindings{
		At: p.Created, Objects: p.Objects, Bytes: p.Bytes, ReadBytes: p.ReadBytes,
		Problems: int64(len(p.Problems) + len(p.More)/manifest.KeyPrefixLen),
	}
	for _, x := range p.Problems[:min(maxFirst, len(p.Problems))] {
		f.First = append(f.First, Problem{Object: x.Object, Kind: ProblemKind(x.What), Detail: x.Detail, Snapshots: x.Snapshots})
	}
	return f
}

// LastFindings returns what the latest verify of the archive with this id found; nil if there was none. The problems
// include those that only an earlier verify found, in objects that are still as they were then.
func (a *Archive) LastFindings(ctx context.Context, id string) (*VerifyFindings, error) {
	defer a.hold()()
	l, err := a.readDamageLog(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.findings, nil
}

// lastFindings returns the findings that the operation has read; nil if there are none.
func (a *Archive) lastFindings() *VerifyFindings {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.damage == nil {
		return nil
	}
	return a.damage.findings
}

// needsLostPage reports whether a page of the base is known to be missing or damaged.
func (r *backupRun) needsLostPage() bool {
	return r.knownBad.any() && r.head.base != nil && slices.ContainsFunc(r.head.base.pages, func(p manifest.Page) bool {
		return r.knownBad.hasPlace(p.Ref.Object, p.Ref.Object)
	})
}

// needsLostObject reports whether a part of a file is known to be missing or damaged.
func (r *backupRun) needsLostObject(f *manifest.File) bool {
	for i := range f.Parts {
		if r.knownBad.hasPart(&f.Parts[i]) {
			return true
		}
	}
	return false
}
