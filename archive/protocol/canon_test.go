package protocol

import "hash/maphash"

// fingerprint is the same for states that are the same but for which of two equal players
// is which: nobody's steps depend on that.
func (e *explorer) fingerprint(s *state) uint64 {
	c := *s
	if !e.m.splitLedger {
		forget(&c.stores[0])
		forget(&c.stores[1])
	}
	h := maphash.Comparable(e.seed, c)
	for _, swap := range e.swaps {
		d := c
		for _, pair := range swap {
			d.swap(pair[0], pair[1])
		}
		h = min(h, maphash.Comparable(e.seed, d))
	}
	return h
}

// forget clears what nobody can read in a coarse model: of the records below the greatest
// it matters only that they are there, and whose.
func forget(s *store) {
	for n := s.greatest() - 1; n > 0; n-- {
		s.ledger[n-1] = record{by: s.ledger[n-1].by}
	}
}

// swaps are the ways to exchange equal players, of whom at most two may follow one another.
func swaps(cast []player) (all [][][2]int) {
	all = [][][2]int{nil}
	for i := 0; i+1 < len(cast); i++ {
		if cast[i] != cast[i+1] {
			continue
		}
		for _, others := range all {
			all = append(all, append([][2]int{{i, i + 1}}, others...))
		}
		i++
	}
	return all[1:]
}

// swap exchanges two actors, with their names wherever they are written.
func (s *state) swap(i, j int) {
	x, y := first+author(i), first+author(j)
	swap := func(a *author) {
		switch *a {
		case x:
			*a = y
		case y:
			*a = x
		}
	}
	swapRecord := func(r *record) {
		if r.by == nobody {
			return
		}
		swap(&r.by)
		swap(&r.parent)
		for k := range r.kept {
			swap(&r.kept[k])
		}
	}
	for k := range s.stores {
		st := &s.stores[k]
		for n := range st.manifests {
			swap(&st.manifests[n].by)
		}
		for n := range st.ledger {
			swapRecord(&st.ledger[n])
		}
	}
	for k := range s.actors {
		a := &s.actors[k]
		swap(&a.by)
		swapRecord(&a.rec)
		for n := range a.seen {
			swap(&a.seen[n])
		}
	}
	s.actors[i], s.actors[j] = s.actors[j], s.actors[i]
}
