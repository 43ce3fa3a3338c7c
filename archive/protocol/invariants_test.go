package protocol

import (
	"fmt"
	"hash/maphash"
)

// violated says what is wrong with a step of actor i from one state to the next.
func violated(m *model, s, next *state, i int) string {
	for st := range next.stores {
		was, is := &s.stores[st], &next.stores[st]
		if *was == *is {
			continue
		}
		if p := damaged(is); p != "" {
			return p
		}
		releases := m.cast[i].job == hold && s.actors[i].target < 0
		if p := rewritten(was, is, releases); p != "" {
			return p
		}
	}
	if a := &next.actors[i]; a.pc == holding {
		truth := next.stores[m.cast[i].store].truth()
		if !truth.holds(int(a.target)) {
			return fmt.Sprintf("snapshot %d is reported held, and is not", a.target)
		}
	}
	return ""
}

// damaged is P3: what a valid snapshot needs is there.
func damaged(s *store) string {
	truth := s.truth()
	for i := range s.manifests {
		m, n := &s.manifests[i], i+1
		if kept := truth.kept[i]; kept != nobody && m.by != kept {
			return fmt.Sprintf("the manifest of snapshot %d, which is kept, is missing", n)
		}
		if lost := m.names &^ s.objects; truth.valid(n, m.by) && lost != 0 {
			return fmt.Sprintf("snapshot %d is valid, and %v, which it names, is missing", n, lost)
		}
	}
	return ""
}

// rewritten says what a step changed that only a new record of the ledger may change, or
// that none may.
func rewritten(was, is *store, releases bool) string {
	old, truth := was.truth(), is.truth()
	if was.greatest() == is.greatest() {
		if old != truth {
			return "the ledger's greatest record was changed"
		}
		for i := range was.manifests {
			if m := &was.manifests[i]; old.valid(i+1, m.by) && *m != is.manifests[i] {
				return fmt.Sprintf("snapshot %d has gone or changed, and no record dropped it", i+1)
			}
		}
		return ""
	}
	if truth.newest < old.newest {
		return "the ledger goes back"
	}
	for i, kept := range truth.kept {
		if kept != nobody && !old.valid(i+1, kept) {
			return fmt.Sprintf("the ledger keeps manifest %d, which it had dropped", i+1)
		}
	}
	if lost := old.held &^ truth.held; lost != 0 && !releases {
		return "a record lets go of a held snapshot"
	}
	for i, kept := range truth.kept {
		if truth.holds(i+1) && kept == nobody {
			return fmt.Sprintf("snapshot %d is held, and the ledger drops it", i+1)
		}
	}
	return ""
}

// atEnd takes it that everybody crashes in this state for good: a prune that then runs
// alone leaves nothing behind that is of no use, and a backup that runs alone makes a
// snapshot. And whoever goes on alone comes to an end.
func (e *explorer) atEnd(s *state) string {
	for i, p := range e.m.cast {
		if s.actors[i].pc != done {
			if problem := e.alone(s, i); problem != "" {
				return problem
			}
		}
		if problem := e.afterwards(&s.stores[p.store]); problem != "" {
			return problem
		}
	}
	return ""
}

// once reports whether this is asked for the first time.
func once[T comparable](seed maphash.Seed, asked map[uint64]struct{}, what T) bool {
	h := maphash.Comparable(seed, what)
	_, ok := asked[h]
	asked[h] = struct{}{}
	return !ok
}

// patience is more steps than anybody needs who is alone.
const patience = 100

func (e *explorer) alone(s *state, i int) string {
	type question struct {
		stores [2]store
		actor  actor
		i      int
	}
	if !once(e.seed, e.calm, question{s.stores, s.actors[i], i}) {
		return ""
	}
	now := *s
	var out []successor
	for range patience {
		if now.actors[i].pc == done {
			return ""
		}
		out = out[:0]
		e.m.next(&now, i, &out)
		if len(out) == 0 {
			return fmt.Sprintf("%s cannot go on", e.m.name(i))
		}
		now = out[0].state
	}
	return fmt.Sprintf("%s does not come to an end, although it is alone", e.m.name(i))
}

// afterwards runs a prune and then a backup, alone, on what is left.
func (e *explorer) afterwards(left *store) string {
	if !once(e.seed, e.stores, *left) {
		return ""
	}
	m := model{rules: protocol(), cast: []player{{job: prune, runs: 1}, {job: backup, runs: 1}}, sequences: maxSequence, records: maxRecord}
	s := m.initial()
	s.stores[0] = *left
	if problem := run(&m, &s, 0); problem != "" {
		return problem
	}
	pruned := &s.stores[0]
	var named objects
	truth := pruned.truth()
	for i := range pruned.manifests {
		by := pruned.manifests[i].by
		if by != nobody && !truth.valid(i+1, by) {
			return fmt.Sprintf("manifest %d is void, and the last prune leaves it", i+1)
		}
		named |= pruned.manifests[i].names
	}
	if useless := pruned.objects & upTo(int(truth.newest)) &^ named; useless != 0 {
		return fmt.Sprintf("nobody names %v, and the last prune leaves them", useless)
	}
	newest := greatestOf(pruned.list())
	if problem := run(&m, &s, 1); problem != "" {
		return problem
	}
	if greatestOf(s.stores[0].list()) != newest+1 {
		return "the last backup makes no snapshot"
	}
	return ""
}

// run has one actor go on until it is done.
func run(m *model, s *state, i int) string {
	var out []successor
	for range patience {
		if s.actors[i].pc == done {
			return damaged(&s.stores[0])
		}
		out = out[:0]
		m.next(s, i, &out)
		if len(out) == 0 {
			break
		}
		if out[0].err != "" {
			return out[0].err
		}
		*s = out[0].state
	}
	return fmt.Sprintf("the last %s does not come to an end", m.name(i))
}
