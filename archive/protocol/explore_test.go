package protocol

import (
	"fmt"
	"hash/maphash"
	"strings"
	"time"
)

// A result is the outcome of an exploration.
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

// An origin is the first way in which a state was reached.
type origin struct {
	from  int32 // the state before it
	actor int8
	which int8 // of the actor's possible steps
}

// An explorer goes through all reachable states, breadth first, so that it finds each fault by a
// shortest way. It keeps a hash of 64 bits of each state: with 10 million states, the chance that
// two of them share one is 1 to 300,000.
type explorer struct {
	m       *model
	twins   []int // of each two equal players, the first one
	seed    maphash.Seed
	met     hashSet
	calm    hashSet // the situations in which the checks at the end were done
	stores  hashSet
	origins []origin
	out     []successor // of a batch of states
	taken   []taken     // how each of out came about
	lonely  []successor // of one actor that goes on alone
	touched uint64      // keeps the compiler from leaving out the early lookups
	spare   [][]state   // chunks of finished frontiers
	res     result
}

// A frontier is the states of one level, in chunks: a slice that grows would copy them.
type frontier [][]state

const chunk = 1 << 10 // states

// explore goes through the model. It makes room for the expected number of states at once.
func explore(m *model, expected int) *result {
	e := explorer{m: m, twins: twins(m.cast), seed: maphash.MakeSeed(), origins: make([]origin, 0, expected)}
	e.met.reserve(expected)
	began := time.Now()
	var level frontier
	first := m.initial()
	e.origins = append(e.origins, origin{from: -1})
	e.met.add(e.fingerprint(&first))
	if problem := e.atEnd(&first, noActor, 0, true); problem != "" {
		e.fail(0, problem)
	}
	level = e.push(level, &first)
	for base := 0; len(level) > 0 && e.res.problem == ""; e.res.depth++ {
		next := len(e.origins)
		level, base = e.level(level, base), next
	}
	e.res.states, e.res.stores, e.res.took = len(e.origins), e.stores.n, time.Since(began)
	return &e.res
}

// push adds a state to a frontier.
func (e *explorer) push(f frontier, s *state) frontier {
	last := len(f) - 1
	if last < 0 || len(f[last]) == chunk {
		var c []state
		if n := len(e.spare); n > 0 {
			c, e.spare = e.spare[n-1], e.spare[:n-1]
		} else {
			c = make([]state, 0, chunk)
		}
		f, last = append(f, c), last+1
	}
	f[last] = append(f[last], *s)
	return f
}

// taken records the state before a successor, and the successor's fingerprint.
type taken struct {
	from *state
	origin
	hash uint64
}

// batch is the number of states that take their steps before any successor is looked up.
const batch = 64

// level takes every step from every state of a level; base is the first one's number.
func (e *explorer) level(level frontier, base int) (next frontier) {
	for c, states := range level {
		for k := 0; k < len(states); k += batch {
			some := states[k:min(k+batch, len(states))]
			if next = e.steps(next, some, base+c*chunk+k); e.res.problem != "" {
				return nil
			}
		}
		e.spare = append(e.spare, states[:0])
	}
	return next
}

// steps takes every step from some states; base is the first one's number. Most of the time is
// spent waiting for memory, so all lookups of a batch begin before the first has ended.
func (e *explorer) steps(next frontier, some []state, base int) frontier {
	e.out, e.taken = e.out[:0], e.taken[:0]
	for k := range some {
		for i := range e.m.cast {
			began := len(e.out)
			e.m.next(&some[k], i, &e.out)
			for n := began; n < len(e.out); n++ {
				way := origin{int32(base + k), int8(i), int8(n - began)}
				h := e.fingerprint(&e.out[n].state)
				e.taken = append(e.taken, taken{&some[k], way, h})
			}
		}
	}
	for k := range e.taken {
		e.touched += e.met.touch(e.taken[k].hash)
	}
	for k := range e.out {
		n, t := &e.out[k], &e.taken[k]
		changed := n.state.stores != t.from.stores
		problem := n.err
		if problem == "" {
			problem = violated(e.m, t.from, &n.state, int(t.actor), changed)
		}
		if !e.met.add(t.hash) && problem == "" {
			continue
		}
		e.origins = append(e.origins, t.origin)
		if problem == "" {
			problem = e.atEnd(&n.state, int(t.actor), int(t.which), changed)
		}
		if problem != "" {
			e.fail(len(e.origins)-1, problem)
			return nil
		}
		next = e.push(next, &n.state)
	}
	return next
}

// fail records how the state was reached, by taking the same steps again.
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
