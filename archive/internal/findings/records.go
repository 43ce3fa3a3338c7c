package findings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// PutProof stores a verification record, and returns its key.
func (a *Findings) PutProof(ctx context.Context, p *manifest.Proof) (key string, err error) {
	p.Format, p.Created = manifest.Format, p.Created.UTC().Truncate(time.Millisecond)
	if p.Node == "" {
		p.Node, _ = os.Hostname() // for operators only
	}
	b, err := p.Encode()
	if err != nil {
		return "", err
	}
	key = manifest.ProofKey(p.Created, p.Kind)
	if _, err := a.PutBytes(ctx, key, b); err != nil {
		return key, fmt.Errorf("storing the verification record: %w", err)
	}
	return key, nil
}

// LatestProof implements the method of archive.Archive.
func (a *Findings) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	defer a.Begin()()
	all, err := a.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	return a.NewestProof(ctx, all[kind], kind, "")
}

// NewestProof returns the newest readable one of some verification records, of the archive with this id or, if it is
// empty, of any; nil if there is none.
func (a *Findings) NewestProof(ctx context.Context, all []store.Object, kind, id string) (*manifest.Proof, error) {
	for _, o := range slices.Backward(all) {
		p, err := a.ReadProof(ctx, o.Key, kind)
		if err != nil || p != nil && (id == "" || p.Archive == id) {
			return p, err
		}
	}
	return nil, nil
}

// ReadProof reads a verification record; nil if it is damaged or was deleted.
func (a *Findings) ReadProof(ctx context.Context, key, kind string) (*manifest.Proof, error) {
	var p *manifest.Proof
	b, err := a.Get(ctx, key, manifest.MaxProofBytes, func(b []byte) (err error) {
		p, err = manifest.DecodeProof(b)
		return err
	})
	switch {
	case err == nil && p.Kind == kind:
		return p, nil
	case b == nil && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, objects.ErrTooLarge):
		return nil, fmt.Errorf("reading the latest verification record: %w", err)
	}
	a.Log.Warn("a verification record is unreadable; an older one is used", "object", key, "error", err)
	return nil, nil
}

// Proofs lists the verification records of each kind, the oldest first by the provider's clock. By the clocks
// of the hosts, the record of a host whose clock is ahead would stay the newest.
func (a *Findings) Proofs(ctx context.Context) (map[string][]store.Object, error) {
	found := map[string][]store.Object{}
	for o, err := range a.Store.List(ctx, manifest.ProofsPrefix, "", "") {
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

// KnownBad are the objects that count as missing or damaged: those that the latest verification record names, but for
// the places that are intact all the same, and the places that only an earlier record names.
type KnownBad struct {
	keys         map[string]bool
	more         map[[manifest.KeyPrefixLen]byte]bool
	intact, Lost map[string]bool // by PlaceOf; Settle fills them in
}

// knownBadOf returns the bad objects in a verification record; none for nil.
func knownBadOf(p *manifest.Proof) KnownBad {
	b := KnownBad{keys: map[string]bool{}}
	if p == nil {
		return b
	}
	b.more = p.More.Set()
	for i := range p.Problems {
		b.keys[p.Problems[i].Object] = true
	}
	return b
}

func (b KnownBad) Any() bool { return len(b.keys)+len(b.more)+len(b.Lost) > 0 }

// Has reports whether the latest verification record names an object.
func (b KnownBad) Has(key string) bool {
	return b.keys[key] || len(b.more) > 0 && b.more[manifest.KeyPrefixOf(key)]
}

func (b KnownBad) HasPart(p *manifest.Part) bool {
	return b.Any() && b.HasPlace(p.Object, PlaceOf(p))
}

func (b KnownBad) HasPlace(object, place string) bool {
	return b.Lost[place] || !b.intact[place] && b.Has(object)
}

// SettledFor returns the result of Settle for a snapshot, if the last call was for it and for the same records.
func (a *Findings) SettledFor(l *DamageLog, base manifest.Ref) (KnownBad, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled.bad, a.settled.log == l && a.settled.base == base
}

// KeepSettled keeps the result of Settle for the next backup.
func (a *Findings) KeepSettled(base manifest.Ref, bad KnownBad) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = settled{a.damage, base, bad} // Settle may have added its notes to the log
}

// settled is the result of Settle for a snapshot.
type settled struct {
	log  *DamageLog
	base manifest.Ref
	bad  KnownBad
}

// maxFirst is the number of problems that VerifyFindings name.
const maxFirst = 10

func findingsOf(p *manifest.Proof) *values.VerifyFindings {
	if p == nil {
		return nil
	}
	f := &values.VerifyFindings{
		At: p.Created, Objects: p.Objects, Bytes: p.Bytes, ReadBytes: p.ReadBytes,
		Problems: int64(len(p.Problems) + len(p.More)/manifest.KeyPrefixLen),
	}
	for _, x := range p.Problems[:min(maxFirst, len(p.Problems))] {
		f.First = append(f.First, values.Problem{Object: x.Object, Kind: values.ProblemKind(x.What), Detail: x.Detail, Snapshots: x.Snapshots})
	}
	return f
}

// LastFindings implements the method of archive.Archive.
func (a *Findings) LastFindings(ctx context.Context, id string) (*values.VerifyFindings, error) {
	defer a.Begin()()
	l, err := a.ReadDamageLog(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.findings, nil
}

// Known returns the findings that the operation has read; nil if there are none.
func (a *Findings) Known() *values.VerifyFindings {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.damage == nil {
		return nil
	}
	return a.damage.findings
}
