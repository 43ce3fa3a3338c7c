package protocol

import (
	"cmp"
	"hash/maphash"
)

// fingerprint is equal for states that differ only in which of two equal players is which: no step
// depends on that. If the two are in different situations, the lesser one comes first. If their
// situations are equal, both orders are tried, since other fields may hold the players' names.
func (e *explorer) fingerprint(s *state) uint64 {
	c := *s
	if !e.m.splitLedger {
		forget(&c.stores[0])
		forget(&c.stores[1])
	}
	alike := 0
	for _, i := range e.twins {
		switch order := c.actors[i].compare(&c.actors[i+1]); {
		case order > 0:
			c.swap(i)
		case order == 0:
			alike++
		}
	}
	h := maphash.Comparable(e.seed, c)
	if alike == 0 {
		return h
	}
	return min(h, e.leastOf(&c, e.twins))
}

// leastOf is the least hash of a state over all exchanges of twins in equal situations.
func (e *explorer) leastOf(c *state, twins []int) uint64 {
	if len(twins) == 0 {
		return maphash.Comparable(e.seed, *c)
	}
	i := twins[0]
	h := e.leastOf(c, twins[1:])
	if c.actors[i].compare(&c.actors[i+1]) == 0 {
		d := *c
		d.swap(i)
		h = min(h, e.leastOf(&d, twins[1:]))
	}
	return h
}

// compare orders actors by fields that do not depend on the actors' names.
func (a *actor) compare(b *actor) int {
	if order := cmp.Compare(a.place(), b.place()); order != 0 {
		return order
	}
	return cmp.Compare(a.plan(), b.plan())
}

func (a *actor) place() uint64 {
	return uint64(a.pc)<<56 | uint64(a.sub)<<48 | uint64(a.runs)<<40 | uint64(a.crashes)<<32 |
		uint64(uint8(a.number))<<24 | uint64(a.list)<<16 | uint64(uint8(a.aim))<<8 | uint64(uint8(a.target))
}

func (a *actor) plan() uint64 {
	return uint64(a.names)<<48 | uint64(a.todo)<<32 |
		uint64(uint8(a.rec.newest))<<16 | uint64(a.rec.held)<<8 | uint64(uint8(a.base))
}

// forget clears fields that no step reads in a coarse model. Of the records below the greatest,
// only their existence and their authors matter.
func forget(s *store) {
	for n := s.greatest() - 1; n > 0; n-- {
		s.ledger[n-1] = record{by: s.ledger[n-1].by}
	}
}

// twins returns the first of each two equal, adjacent players.
func twins(cast []player) (all []int) {
	for i := 0; i+1 < len(cast); i++ {
		if cast[i] == cast[i+1] {
			all = append(all, i)
			i++
		}
	}
	return all
}

// swap exchanges two adjacent actors, and their names in every field.
func (s *state) swap(i int) {
	var to [maxAuthors]author
	for x := range to {
		to[x] = author(x)
	}
	x := first + author(i)
	to[x], to[x+1] = x+1, x
	for k := range s.stores {
		st := &s.stores[k]
		for n := range st.manifests {
			st.manifests[n].by = to[st.manifests[n].by]
		}
		for n := range st.ledger {
			st.ledger[n].rename(&to)
		}
	}
	for k := range s.actors {
		a := &s.actors[k]
		a.by, a.againBy = to[a.by], to[a.againBy]
		a.rec.rename(&to)
		for n := range a.seen {
			a.seen[n] = to[a.seen[n]]
		}
	}
	s.actors[i], s.actors[i+1] = s.actors[i+1], s.actors[i]
}

func (r *record) rename(to *[maxAuthors]author) {
	if r.by == noAuthor {
		return
	}
	r.by, r.parent = to[r.by], to[r.parent]
	for k := range r.kept {
		r.kept[k] = to[r.kept[k]]
	}
}
