package protocol

import (
	"fmt"
	"hash/maphash"
)

// violated describes the fault in a step of actor i from one state to the next.
func violated(m *model, s, next *state, i int, changed bool) string {
	for st := range next.stores {
		if !changed {
			break
		}
		was, is := &s.stores[st], &next.stores[st]
		if *was == *is {
			continue
		}
		if p := damaged(is, m.rotOf(st)); p != "" {
			return p
		}
		releases := m.cast[i].job == hold && s.actors[i].target < 0
		if p := rewritten(was, is, releases); p != "" {
			return p
		}
		if p := m.replaced(was, is, st, m.cast[i].job); p != "" {
			return p
		}
	}
	if m.settled && m.repairsDone(next) {
		if p := lacking(&next.stores[0], m.rot); p != "" {
			return "all repairs have ended, and " + p
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

// damaged checks P3: every object that a valid snapshot needs exists, except for objects that rot
// has struck.
func damaged(s *store, rot rot) string {
	truth := s.truth()
	for i := range s.manifests {
		m, n := &s.manifests[i], i+1
		if n == rot.manifest {
			if m.by != noAuthor && m.by != before && truth.valid(n, m.by) {
				return fmt.Sprintf("another's manifest counts as snapshot %d, which no record dropped", n)
			}
		} else if kept := truth.kept[i]; kept != noAuthor && m.by != kept {
			return fmt.Sprintf("the manifest of snapshot %d, which is kept, is missing", n)
		}
		if lost := m.names &^ s.objects &^ rot.struck(); truth.valid(n, m.by) && lost != 0 {
			return fmt.Sprintf("snapshot %d is valid, and %v, which it names, is missing", n, lost)
		}
	}
	return ""
}

// rewritten describes a change that no step may make, or that needs a new ledger record.
func rewritten(was, is *store, releases bool) string {
	old, truth := was.truth(), is.truth()
	if was.greatest() == is.greatest() {
		if old != truth {
			return "the ledger's greatest record was changed"
		}
		return ""
	}
	if truth.newest < old.newest {
		return "the ledger goes back"
	}
	for i, kept := range truth.kept {
		if kept != noAuthor && !old.valid(i+1, kept) {
			return fmt.Sprintf("the ledger keeps manifest %d, which it had dropped", i+1)
		}
	}
	if lost := old.held &^ truth.held; lost != 0 && !releases {
		return "a record lets go of a held snapshot"
	}
	for i, kept := range truth.kept {
		if truth.holds(i+1) && kept == noAuthor {
			return fmt.Sprintf("snapshot %d is held, and the ledger drops it", i+1)
		}
	}
	return ""
}

// noActor stands for the actor whose step led to the first state.
const noActor = -1

// atEnd assumes that all actors crash in this state for good. A prune that then runs alone leaves
// no useless object, a backup that runs alone makes a snapshot, and any actor that goes on alone
// comes to an end.
//
// The state results from one of an actor's steps: the first, the second, and so on. Checks done in
// the state before are not repeated. While the archives are unchanged, the other actors are in the
// same situation. And the actor's first step is the one that it took alone in that check.
func (e *explorer) atEnd(s *state, actor, which int, changed bool) string {
	if e.m.endless {
		return ""
	}
	var used [len(s.stores)]bool
	for i, p := range e.m.cast {
		asked := !changed
		if i == actor {
			asked = which == 0
		}
		if !asked && s.actors[i].pc != done {
			if problem := e.alone(s, i); problem != "" {
				return problem
			}
		}
		used[p.store] = true
	}
	for k := range s.stores {
		if changed && used[k] {
			if problem := e.afterwards(&s.stores[k], k); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// patience is more steps than any actor needs alone.
const patience = 100

// alone makes actor i go on by itself. Its way depends only on the archives and the actor's own
// fields. So it stops at a situation that a previous call has checked.
func (e *explorer) alone(s *state, i int) string {
	type question struct {
		stores [2]store
		actor  actor
		i      int8
	}
	var asked [patience]uint64
	now := *s
	for k := range patience {
		done := now.actors[i].pc == done
		if !done {
			asked[k] = maphash.Comparable(e.seed, question{now.stores, now.actors[i], int8(i)})
		}
		if done || e.calm.has(asked[k]) {
			for _, h := range asked[:k] {
				e.calm.add(h)
			}
			return ""
		}
		e.lonely = e.lonely[:0]
		e.m.next(&now, i, &e.lonely)
		if len(e.lonely) == 0 {
			return fmt.Sprintf("%s cannot go on", e.m.name(i))
		}
		now = e.lonely[0].state
	}
	return fmt.Sprintf("%s does not come to an end, although it is alone", e.m.name(i))
}

// afterwards runs a repair if there was rot, then a prune and then a backup, alone, on what is
// left of an archive.
func (e *explorer) afterwards(left *store, archive int) string {
	h := maphash.Comparable(e.seed, *left)
	if archive > 0 && e.m.rot != (rot{}) {
		h = ^h // where rot was, the checks differ
	}
	if !e.stores.add(h) {
		return ""
	}
	m := model{
		rules: protocol(), sequences: maxSequence, records: maxRecord, history: e.m.history, rot: e.m.rotOf(archive),
		cast: []player{{job: prune, runs: 1}, {job: backup, runs: 1}, {job: repair, runs: 1}},
	}
	m.rules.farIsNothing = e.m.rules.farIsNothing
	s := m.initial()
	s.stores[0] = *left
	if m.rot != (rot{}) {
		if problem := run(&m, &s, 2); problem != "" {
			return problem
		}
		if problem := lacking(&s.stores[0], m.rot); problem != "" {
			return "an undisturbed repair has ended, and " + problem
		}
	}
	if left.hasDoubt() {
		if problem := run(&m, &s, 0); problem != "" {
			return problem
		}
		if s.stores[0] != *left {
			return "a prune changes something although it cannot read the next record"
		}
		s.stores[0].rebuildLedger()
		s.actors[0].runs, s.actors[0].pc = 1, start
	}
	if s.stores[0].isVandalized(m.rot) { // the next snapshot takes the place of the newest, and the prune forgets it
		m.rules.needsHash = false
		if problem := run(&m, &s, 1); problem != "" {
			return problem
		}
		s.actors[1].runs, s.actors[1].pc = 1, start
	}
	if problem := run(&m, &s, 0); problem != "" {
		return problem
	}
	pruned := &s.stores[0]
	var named objects
	truth := pruned.truth()
	for i := range pruned.manifests {
		by := pruned.manifests[i].by
		if by != noAuthor && !truth.valid(i+1, by) {
			return fmt.Sprintf("manifest %d is invalid, and the last prune leaves it", i+1)
		}
		named |= pruned.manifests[i].names
	}
	if useless := (pruned.objects | pruned.spoiled) & upTo(int(truth.newest)) &^ named; useless != 0 {
		return fmt.Sprintf("no manifest names %v, and the last prune leaves them", useless)
	}
	newest := greatestOf(pruned.list())
	if problem := run(&m, &s, 1); problem != "" {
		return problem
	}
	if n := greatestOf(s.stores[0].list()); n != newest+1 && !(n > newest && truth.isVoid(newest+1)) {
		return "the last backup makes no snapshot"
	}
	return ""
}

// run makes one actor go on until it is done.
func run(m *model, s *state, i int) string {
	var out []successor
	for range patience {
		if s.actors[i].pc == done {
			return damaged(&s.stores[0], m.rot)
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
