package checker

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// readTimes is when objects were last read back, by the prefixes of their keys.
type readTimes map[[manifest.KeyPrefixLen]byte]time.Time

func readTimesOf(p *manifest.Proof) readTimes {
	r := readTimes{}
	if p == nil {
		return r
	}
	for _, group := range p.Read {
		for m := range slices.Chunk(group.Prefixes, manifest.KeyPrefixLen) {
			mark := [manifest.KeyPrefixLen]byte(m)
			if group.At.After(r[mark]) {
				r[mark] = group.At
			}
		}
	}
	return r
}

// groups returns the times in the form of a verification record, the oldest first.
func (r readTimes) groups() []manifest.ReadBack {
	at := map[time.Time][][manifest.KeyPrefixLen]byte{}
	for mark, t := range r {
		at[t] = append(at[t], mark)
	}
	var all []manifest.ReadBack
	for _, t := range slices.SortedFunc(maps.Keys(at), time.Time.Compare) {
		slices.SortFunc(at[t], func(a, b [manifest.KeyPrefixLen]byte) int { return bytes.Compare(a[:], b[:]) })
		var marks manifest.KeyPrefixes
		for _, m := range at[t] {
			marks = append(marks, m[:]...)
		}
		all = append(all, manifest.ReadBack{At: t, Prefixes: marks})
	}
	return all
}

// pickSample selects the objects in the sample: those whose last read is oldest first, and at least one. Pages
// are read anyway. Objects in a class from which they must be thawed come last: most cannot be read, so that they would
// be first in each sample, and no other object would be read again.
func (v *verifyRun) pickSample() {
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
			all = append(all, one{n, v.readTimes[manifest.KeyPrefixOf(key)]})
			total += n.size
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b one) int {
		if a.frozen != b.frozen {
			if a.frozen {
				return 1
			}
			return -1
		}
		return a.last.Compare(b.last)
	})
	left := int64(v.o.Sample * float64(total))
	for i, n := range all {
		n.skip = i > 0 && left <= 0
		left -= n.size
	}
}

// countCoverage adds the objects read in this run, drops those that no snapshot needs any more, and fills in the
// report's Coverage.
func (v *verifyRun) countCoverage(now time.Time) {
	v.report.Coverage = values.Coverage{}
	c := &v.report.Coverage
	still := readTimes{}
	for key, n := range v.needs {
		if len(n.parts) == 0 {
			continue
		}
		c.Objects++
		c.Bytes += n.size
		mark := manifest.KeyPrefixOf(key)
		last := v.readTimes[mark]
		switch {
		case n.bad:
			last = time.Time{} // it was not found intact
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
	v.readTimes = still
}
