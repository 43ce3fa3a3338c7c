package protocol

import (
	"fmt"
	"hash/maphash"
	"strings"
	"time"
)

// A result is what an exploration found.
type result struct {
	states, stores int
	depth          int
	took           time.Duration
	problem        string // empty: none
	trace          []string
}

func (r *result) String() string {
	return fmt.Sprintf("%d states, %d different stores, depth %d, %.1f s", r.states, r.stores, r.depth, r.took.Seconds())
}

// An origin says how a state was reached first.
type origin struct {
	from  int32 // the state before it
	actor int8
	which int8 // of the actor's possible steps
}

// An explorer goes through all states that can be reached, breadth first, so that what it
// finds it finds by a shortest way. Of states that were met it keeps a hash of 64 bits: with
// 10 million states, the chance that two of them share one is 1 to 300,000.
type explorer struct {
	m       *model
	swaps   [][][2]int // the ways to exchange equal players
	seed    maphash.Seed
	met     map[uint64]struct{}
	calm    map[uint64]struct{} // what the checks at the end were done for
	stores  map[uint64]struct{}
	origins []origin
	res     result
}

// explore goes through the model; with limit > 0, through so many states at most.
func explore(m *model) *result {
	e := explorer{
		m: m, swaps: swaps(m.cast), seed: maphash.MakeSeed(),
		met: map[uint64]struct{}{}, calm: map[uint64]struct{}{}, stores: map[uint64]struct{}{},
	}
	began := time.Now()
	level := []state{m.initial()}
	e.origins = append(e.origins, origin{from: -1})
	e.met[e.fingerprint(&level[0])] = struct{}{}
	for base := 0; len(level) > 0 && e.res.problem == ""; e.res.depth++ {
		level, base = e.level(level, base), base+len(level)
	}
	e.res.states, e.res.stores, e.res.took = len(e.origins), len(e.stores), time.Since(began)
	return &e.res
}

// level takes every step from every state of a level; base is the first one's number.
func (e *explorer) level(level []state, base int) (next []state) {
	var out []successor
	for k := range level {
		s := &level[k]
		if problem := e.atEnd(s); problem != "" && !e.m.endless {
			e.fail(base+k, problem)
			return nil
		}
		for i := range e.m.cast {
			out = out[:0]
			e.m.next(s, i, &out)
			for which := range out {
				n := &out[which]
				problem := n.err
				if problem == "" {
					problem = violated(e.m, s, &n.state, i)
				}
				h := e.fingerprint(&n.state)
				if _, ok := e.met[h]; ok && problem == "" {
					continue
				}
				e.met[h] = struct{}{}
				e.origins = append(e.origins, origin{int32(base + k), int8(i), int8(which)})
				if problem != "" {
					e.fail(len(e.origins)-1, problem)
					return nil
				}
				next = append(next, n.state)
			}
		}
	}
	return next
}

// fail tells how the state was reached, by taking the same steps again.
func (e *explorer) fail(k int, problem string) {
	e.res.problem = problem
	var way []origin
	for ; e.origins[k].from >= 0; k = int(e.origins[k].from) {
		way = append(way, e.origins[k])
	}
	m := *e.m
	m.tracing = true
	s := m.initial()
	e.res.trace = append(e.res.trace, "at first: "+s.stores[0].String())
	for j := len(way) - 1; j >= 0; j-- {
		var out []successor
		m.next(&s, int(way[j].actor), &out)
		was := s
		s = out[way[j].which].state
		e.res.trace = append(e.res.trace, fmt.Sprintf("%2d  %s", len(way)-j, out[way[j].which].note))
		for st := range s.stores {
			if s.stores[st] != was.stores[st] {
				e.res.trace = append(e.res.trace, fmt.Sprintf("      archive %d: %v", st, &s.stores[st]))
			}
		}
	}
	e.res.trace = append(e.res.trace, "and so "+problem)
}

func (r *result) text() string { return strings.Join(r.trace, "\n") }
