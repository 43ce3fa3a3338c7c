package findings

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// DamageLog is what all verification records of an archive name as missing or damaged. An attacker who can create
// objects can create a newer record that names nothing. So no record ends the damage that another one names. It ends
// when this host has read the content back whole, or when the store shows that the object was made again since.
//
// A DamageLog never changes; noteRecords and NoteRead make the next one.
type DamageLog struct {
	archive string                                 // the archive's id
	clean   map[string]bool                        // the archive's own records that name nothing
	Named   map[[manifest.KeyPrefixLen]byte]naming // the named objects, by the prefix of their keys
	Keys    map[string]bool                        // the first maxNamedKeys of their keys, as far as records have them
	read    map[string]string                      // by place: the last record that named it when it was read back here
	seen    map[string]bool                        // the keys of all records that were read
	others  map[string]bool                        // those of them that are unreadable or of another archive

	latest    string // the key of the archive's latest record; empty if there is none
	LatestBad KnownBad
	findings  *values.VerifyFindings
}

// naming is the last record that names an object.
type naming struct {
	Record string
	at     time.Time // when the record was stored, by the provider's clock
	absent bool      // the object may have been missing
}

// maxNamedKeys bounds how many keys a DamageLog has in full.
const maxNamedKeys = manifest.MaxProofProblems

// Of returns the last record that names an object.
func (l *DamageLog) Of(key string) (naming, bool) {
	if l == nil || len(l.Named) == 0 {
		return naming{}, false
	}
	n, ok := l.Named[manifest.KeyPrefixOf(key)]
	return n, ok
}

// PlaceOf names the stored bytes of a part, for the notes on what was read back: the object or, in a bundle, an offset.
func PlaceOf(p *manifest.Part) string {
	if p.Stored.Offset == nil {
		return p.Object
	}
	return fmt.Sprintf("%s@%d", p.Object, *p.Stored.Offset)
}

// HasRead reports whether this host has read a part back after the last record that names it.
func (l *DamageLog) HasRead(p *manifest.Part, n *naming) bool { return l.read[PlaceOf(p)] == n.Record }

// ReadDamageLog reads the verification records that were not read before. The archive's id must be known.
func (a *Findings) ReadDamageLog(ctx context.Context, id string) (*DamageLog, error) {
	all, err := a.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	return a.DamageLogOf(ctx, id, all[manifest.ProofVerify])
}

// DamageLogOf is ReadDamageLog for a listing of the records.
func (a *Findings) DamageLogOf(ctx context.Context, id string, records []store.Object) (*DamageLog, error) {
	a.mu.Lock()
	was := a.damage
	a.mu.Unlock()
	isKept := was != nil && was.archive == id
	if !isKept {
		was = a.loadDamageLog(id)
	}
	unread := slices.DeleteFunc(slices.Clone(records), func(o store.Object) bool { return was.seen[o.Key] })
	read, err := a.readProofs(ctx, unread)
	if err != nil {
		return nil, err
	}
	now := was
	if len(unread) > 0 {
		now = was.noteRecords(unread, read)
		if isKept { // a verify of this host keeps what it read back in the local state alone
			now.read = maps.Clone(was.read)
			maps.Copy(now.read, a.loadDamageLog(id).read)
		}
	}
	if now, err = a.noteLatest(ctx, now, records, read); err != nil || now == was {
		return now, err
	}
	save := len(now.clean) > len(was.clean)
	if save { // now has a map of its own
		listed := make(map[string]bool, len(records))
		for i := range records {
			listed[records[i].Key] = true
		}
		maps.DeleteFunc(now.clean, func(key string, _ bool) bool { return !listed[key] })
	}
	a.keepDamageLog(now, save)
	return now, nil
}

// readProofs reads several verification records, by key; nil for one that is unreadable.
func (a *Findings) readProofs(ctx context.Context, records []store.Object) (map[string]*manifest.Proof, error) {
	read := make([]*manifest.Proof, len(records))
	err := objects.EachIndex(ctx, a.Transfers, len(records), func(ctx context.Context, i int) (err error) {
		read[i], err = a.ReadProof(ctx, records[i].Key, manifest.ProofVerify)
		return err
	})
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*manifest.Proof, len(records))
	for i := range records {
		byKey[records[i].Key] = read[i]
	}
	return byKey, nil
}

// noteRecords returns the log with more records, in the order in which they were stored.
func (l *DamageLog) noteRecords(objects []store.Object, read map[string]*manifest.Proof) *DamageLog {
	now := *l
	now.clean, now.Named, now.Keys = maps.Clone(l.clean), maps.Clone(l.Named), maps.Clone(l.Keys)
	now.seen, now.others = maps.Clone(l.seen), maps.Clone(l.others)
	for i := range objects {
		o := &objects[i]
		now.seen[o.Key] = true
		p := read[o.Key]
		switch {
		case p == nil || p.Archive != l.archive:
			now.others[o.Key] = true
			continue
		case len(p.Problems)+len(p.More) == 0:
			now.clean[o.Key] = true
		}
		for k := range p.Problems {
			x := &p.Problems[k]
			n := naming{o.Key, o.Modified, values.ProblemKind(x.What) == values.ProblemMissing}
			now.name(manifest.KeyPrefixOf(x.Object), &n)
			if len(now.Keys) < maxNamedKeys {
				now.Keys[x.Object] = true
			}
		}
		for mark := range p.More.Set() {
			now.name(mark, &naming{o.Key, o.Modified, true})
		}
	}
	return &now
}

func (l *DamageLog) name(mark [manifest.KeyPrefixLen]byte, n *naming) {
	was, ok := l.Named[mark]
	if ok && was.at.After(n.at) {
		return
	}
	n.absent = n.absent || was.Record == n.Record && was.absent
	l.Named[mark] = *n
}

// noteLatest returns the log with the archive's latest record, by the provider's clock.
func (a *Findings) noteLatest(
	ctx context.Context, l *DamageLog, records []store.Object, read map[string]*manifest.Proof,
) (*DamageLog, error) {
	for _, o := range slices.Backward(records) {
		switch {
		case o.Key == l.latest:
			return l, nil
		case l.others[o.Key]:
			continue
		}
		p := read[o.Key]
		if p == nil { // it is in this host's notes
			var err error
			if p, err = a.ReadProof(ctx, o.Key, manifest.ProofVerify); err != nil {
				return nil, err
			}
		}
		if p == nil || p.Archive != l.archive {
			continue
		}
		now := *l
		now.latest, now.LatestBad, now.findings = o.Key, knownBadOf(p), findingsOf(p)
		if more, err := a.countUnsettled(ctx, &now); err != nil {
			return nil, err
		} else if more > 0 {
			findings := *now.findings
			findings.Problems += more
			now.findings = &findings
		}
		return &now, nil
	}
	return l, nil
}

// loadDamageLog returns the log as this host's notes have it.
func (a *Findings) loadDamageLog(id string) *DamageLog {
	l := &DamageLog{
		archive: id, clean: map[string]bool{}, Named: map[[manifest.KeyPrefixLen]byte]naming{}, Keys: map[string]bool{},
		read: map[string]string{}, seen: map[string]bool{}, others: map[string]bool{},
	}
	if a.State == nil {
		return l
	}
	notes, err := a.State.LoadProofNotes(id)
	if err != nil {
		a.Log.Warn("the notes on the verification records are read again from the archive", "error", err)
	}
	for _, key := range notes.Clean {
		l.clean[key], l.seen[key] = true, true
	}
	maps.Copy(l.read, notes.Read)
	return l
}

// keepDamageLog keeps a log for the next operation, with save also on this host.
func (a *Findings) keepDamageLog(l *DamageLog, save bool) {
	a.mu.Lock()
	a.damage = l
	a.mu.Unlock()
	if a.State == nil || !save {
		return
	}
	notes := localstate.ProofNotes{Clean: slices.Sorted(maps.Keys(l.clean)), Read: l.read}
	if err := a.State.SaveProofNotes(l.archive, notes); err != nil {
		a.Log.Debug("the notes on the verification records could not be saved on this host", "error", err)
	}
}

// NoteRead records that parts were read back whole on this host, each with the last record that names it, by place.
func (a *Findings) NoteRead(l *DamageLog, places map[string]string) *DamageLog {
	if len(places) == 0 {
		return l
	}
	now := *l
	now.read = maps.Clone(l.read)
	maps.Copy(now.read, places)
	a.keepDamageLog(&now, true)
	return &now
}
