package archive

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Coverage is how much of an archive was ever read back and found good, and when.
type Coverage struct {
	Objects   int       `json:"objects"`        // data objects and bundles that the snapshots need
	Bytes     int64     `json:"bytes"`          // stored bytes of those
	Read      int       `json:"read"`           // of the objects, those that were read back at some time
	Since     time.Time `json:"since,omitzero"` // all of those were read back at this time or later
	ReadBytes int64     `json:"read_bytes"`     // stored bytes of those that were read back at some time
}

// reads is when objects were last read back, by their marks.
type reads map[[manifest.ReadMark]byte]time.Time

func readsOf(p *manifest.Proof) reads {
	r := reads{}
	if p == nil {
		return r
	}
	for _, group := range p.Read {
		for m := range slices.Chunk(group.Marks, manifest.ReadMark) {
			mark := [manifest.ReadMark]byte(m)
			if group.At.After(r[mark]) {
				r[mark] = group.At
			}
		}
	}
	return r
}

// groups is the same as a proof tells it, the longest unread first.
func (r reads) groups() []manifest.ReadBack {
	at := map[time.Time][][manifest.ReadMark]byte{}
	for mark, t := range r {
		at[t] = append(at[t], mark)
	}
	var all []manifest.ReadBack
	for _, t := range slices.SortedFunc(maps.Keys(at), time.Time.Compare) {
		slices.SortFunc(at[t], func(a, b [manifest.ReadMark]byte) int { return bytes.Compare(a[:], b[:]) })
		var marks manifest.Marks
		for _, m := range at[t] {
			marks = append(marks, m[:]...)
		}
		all = append(all, manifest.ReadBack{At: t, Marks: marks})
	}
	return all
}

// choose leaves out what is not in the sample: it takes what was longest not read back
// first, and at least one object. Pages are read anyway.
func (v *verification) choose() {
	if v.o.ReadData || v.o.Sample >= 1 {
		return
	}
	type one struct {
		*need
		last time.Time
	}
	var all []one
	var total int64
	for key, n := range v.needs {
		if len(n.parts) > 0 {
			all = append(all, one{n, v.reads[manifest.MarkOf(key)]})
			total += n.size
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b one) int { return a.last.Compare(b.last) })
	left := int64(v.o.Sample * float64(total))
	for i, n := range all {
		n.skip = i > 0 && left <= 0
		left -= n.size
	}
}

// cover adds what was read now, forgets what nobody needs any more, and counts.
func (v *verification) cover(now time.Time) {
	c := &v.report.Coverage
	still := reads{}
	for key, n := range v.needs {
		if len(n.parts) == 0 {
			continue
		}
		c.Objects++
		c.Bytes += n.size
		mark := manifest.MarkOf(key)
		last := v.reads[mark]
		switch {
		case n.bad:
			last = time.Time{} // it was not found good
		case n.read:
			last = now
		}
		if last.IsZero() {
			continue
		}
		still[mark] = last
		c.Read++
		c.ReadBytes += n.size
		if c.Since.IsZero() || last.Before(c.Since) {
			c.Since = last
		}
	}
	v.reads = still
}

// prove stores what a look at the whole archive found.
func (v *verification) prove(ctx context.Context, start time.Time) error {
	id := v.head.archiveID()
	p := manifest.Proof{
		Archive: id, Kind: manifest.ProofVerify, Created: start, DurationMS: time.Since(start).Milliseconds(), Tool: v.o.Tool, Outcome: manifest.OutcomeOK,
		Snapshots: int64(v.report.Snapshots), Objects: int64(v.report.Objects), Bytes: v.report.Bytes,
		ReadObjects: int64(v.report.ReadObjects), ReadBytes: v.report.ReadBytes,
	}
	for i := range v.report.Problems {
		if p.Outcome = manifest.OutcomeFailed; i < manifest.MaxProofProblems {
			x := &v.report.Problems[i]
			p.Problems = append(p.Problems, manifest.ProofProblem{Object: x.Object, What: x.What, Detail: x.Detail, Snapshots: x.Snapshots})
		}
	}
	if v.report.ReadObjects > 0 {
		read := p
		read.Kind, read.Problems, read.Read = manifest.ProofRead, nil, v.reads.groups()
		if err := v.putProof(ctx, &read); err != nil {
			return err
		}
	}
	return v.putProof(ctx, &p)
}

// carry keeps what an earlier look found in the content of objects that this one has not
// read again: that they are there says nothing.
func (v *verification) carry(before *manifest.Proof) {
	if before == nil {
		return
	}
	for i := range before.Problems {
		p := &before.Problems[i]
		n := v.needs[p.Object]
		if n == nil || n.bad || n.read || p.What != "content" && p.What != "checksum" || len(n.parts) == 0 {
			continue
		}
		v.problem(Problem{Object: p.Object, What: p.What, Detail: p.Detail + " (found on " + before.Created.Format(time.DateOnly) + ", and not read back since)"})
	}
}
