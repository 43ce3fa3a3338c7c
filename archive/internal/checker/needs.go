package checker

import (
	"context"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// settleNamed decides which of the objects that verification records name are intact. What only an earlier record names,
// it reads back: the latest record may be forged, and may as well be right.
func (v *verifyRun) settleNamed(ctx context.Context) error {
	if v.damage == nil || len(v.damage.Named) == 0 {
		return nil
	}
	return v.each(ctx, func(ctx context.Context, key string, n *need) error {
		last, named := v.damage.Of(key)
		if !named || len(n.parts) == 0 {
			return nil
		}
		isRead := true
		for _, p := range n.parts {
			isRead = isRead && v.damage.HasRead(p.part, &last)
		}
		var err error
		if n.settled = isRead; !isRead {
			n.settled, err = v.repo.Findings.MadeAgain(ctx, key, &last, &n.parts[0].part.Stored)
		}
		if err != nil || n.settled || v.damage.LatestBad.Has(key) {
			return err
		}
		for _, p := range n.parts {
			objects.AddTotals(v.repo.Progress, 1, p.part.Size)
		}
		return v.readNeed(ctx, key, n)
	})
}

// noteReadBack records on this host which of the named objects were read back and are intact.
func (v *verifyRun) noteReadBack() {
	if v.damage == nil || len(v.damage.Named) == 0 {
		return
	}
	places := map[string]string{}
	for key, n := range v.needs {
		last, named := v.damage.Of(key)
		if !named || !n.read || n.bad {
			continue
		}
		for _, p := range n.parts {
			places[findings.PlaceOf(p.part)] = last.Record
		}
	}
	v.repo.Findings.NoteRead(v.damage, places)
}

// need is an object that snapshots name, with the sizes and checksums in their entries.
type need struct {
	size    int64 // as stored; of a bundle, the end of the last known part
	atLeast bool  // it is a bundle, so size is a lower bound
	stored  manifest.StoredSums
	parts   []needPart
	spans   []span
	found   bool
	frozen  bool // the listing shows it in a class from which it must be thawed
	unsure  bool // the listing does not show whether it must be thawed
	skip    bool // it is not in the sample, or must be thawed before it can be read
	// wasFrozen means that it could not be read because it must be thawed.
	wasFrozen bool
	read      bool // it was fetched and hashed
	settled   bool // it is intact, although a verification record names it
	bad       bool // a problem was reported already
}

// span is a range of snapshots, as indexes in verifyRun.order.
type span struct{ from, to int }

// needPart is a part in the object. A data object has one.
type needPart struct {
	part *manifest.Part
	file string
	at   int64 // where in the file its plain content begins
}

// partKey identifies a part among the parts of all files.
type partKey struct {
	object string
	offset int64
	file   string
}

// need records the objects that a snapshot needs.
func (v *verifyRun) need(s *repo.Snapshot) {
	v.order, v.recipients = append(v.order, s.Ref.Sequence), append(v.recipients, s.Manifest.Recipients)
	for i := range s.Pages {
		ref := &s.Pages[i].Ref
		v.needObject(ref.Object, ref.Stored, ref.Stored.Size, false)
	}
	for i := range s.Manifest.Files {
		f := &s.Manifest.Files[i]
		if f.Damaged() {
			v.noteDamage(f.Name, s.Ref.Sequence)
		}
		if len(f.Parts) > 1 {
			v.multiPartFiles[f.Name+f.SHA256.String()] = withoutNeighbours(f)
		}
		var at int64
		for i := range f.Parts {
			p := &f.Parts[i]
			size, bundled := p.Stored.Size, p.Stored.Offset != nil
			if bundled {
				size += *p.Stored.Offset
			}
			n := v.needObject(p.Object, p.Stored, size, bundled)
			if k := (partKey{p.Object, objects.OffsetOf(p), f.Name}); !v.seenParts[k] {
				v.seenParts[k] = true
				n.parts = append(n.parts, needPart{new(*p), f.Name, at})
			}
			at += p.Size
		}
	}
}

// withoutNeighbours returns a copy of an entry. A pointer to the entry itself would keep all entries of its snapshot
// in memory.
func withoutNeighbours(f *manifest.File) *manifest.File {
	c := *f
	c.Parts = slices.Clone(f.Parts)
	return &c
}

func (v *verifyRun) noteDamage(file string, snapshot int64) {
	i := slices.IndexFunc(v.report.Damaged, func(d values.Damage) bool { return d.File == file })
	if i < 0 {
		i = len(v.report.Damaged)
		v.report.Damaged = append(v.report.Damaged, values.Damage{File: file})
	}
	v.report.Damaged[i].Snapshots = append(v.report.Damaged[i].Snapshots, snapshot)
}

func (v *verifyRun) needObject(key string, stored manifest.StoredSums, size int64, atLeast bool) *need {
	n := v.needs[key]
	if n == nil {
		n = &need{stored: stored, size: size, atLeast: atLeast}
		v.needs[key] = n
	}
	n.size = max(n.size, size)
	here := len(v.order) - 1
	switch k := len(n.spans) - 1; {
	case k >= 0 && n.spans[k].to >= here:
		n.spans[k].to = here + 1
	default:
		n.spans = append(n.spans, span{here, here + 1})
	}
	return n
}
