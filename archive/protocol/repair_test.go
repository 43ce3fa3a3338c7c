package protocol

// repairer takes one step of the repair, which goes from one problem to the next until it finds
// none. Where the program would end with an error, it is run again.
func (t turn) repairer() {
	switch a := t.actor(); a.pc {
	case start:
		t.readLedger(t.m.cast[t.i].store, func(t turn) { t.look() })
	case naming:
		t.readLedger(t.m.cast[t.i].store, func(t turn) {
			if t.m.joined {
				t.actor().list = t.store().list()
				t.decide()
				return
			}
			t.actor().pc = listing
			t.emit("has read the ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	case removing:
		t.remove()
	case putting:
		t.putBack()
	case confirming:
		t.confirm()
	default: // it writes a record
		t.editor()
	}
}

// look reads every valid object, and chooses one that is missing or damaged. This is the last read
// before a delete: the findings of an earlier one do not matter.
func (t turn) look() {
	rec := t.actor().rec
	t.reset(start)
	t.actor().target = 0
	if found := t.lookAtManifests(&rec); t.lookAtObjects(&rec) || found {
		return
	}
	t.finish()
	t.emit("finds nothing to repair")
}

func (t turn) lookAtManifests(rec *record) (found bool) {
	s := t.store()
	for i := range t.m.history {
		n, m := i+1, s.manifests[i]
		inRecord := n <= int(rec.newest) && rec.kept[i] == before
		right := m.by == before && !s.isBad(n)
		if right || !rec.valid(n, before) || !inRecord && !s.isBad(n) {
			continue // it is right, or dropped, or no record or child names another one
		}
		found = true
		next := t
		a := next.actor()
		a.target = int8(n)
		switch {
		case m.by == noAuthor:
			a.pc = putting
			next.emit("finds manifest %d missing", n)
		case inRecord || !t.m.rules.namesFirst:
			next.toRemove()
			a.by = m.by
			next.forgetAuthor()
			next.emit("finds manifest %d damaged, or another's", n)
		default:
			a.pc = naming
			next.emit("finds manifest %d damaged, and no record names the right one", n)
		}
	}
	return found
}

func (t turn) lookAtObjects(rec *record) (found bool) {
	s := t.store()
	var lost objects
	for i := range s.manifests {
		if m := &s.manifests[i]; rec.valid(i+1, m.by) && !s.isBad(i+1) {
			lost |= m.names &^ s.objects
		}
	}
	for ; lost != 0; lost &= lost - 1 {
		x := lost.lowest()
		next := t
		next.actor().todo = x
		if next.actor().pc = putting; s.spoiled&x != 0 {
			next.actor().pc = removing
		}
		next.emit("finds %v missing or damaged", x)
		found = true
	}
	return found
}

// nameRight plans the record that names a damaged manifest as it was. A manifest that was dropped
// in the meantime needs none.
func (t turn) nameRight(plan record) {
	n := t.actor().target
	if !t.m.rules.namesOnlyValid {
		plan.kept[n-1] = before
	}
	if plan.kept[n-1] == noAuthor {
		t.toRemove()
		t.emit("finds manifest %d dropped", n)
		return
	}
	t.planned(plan)
}

// toRemove makes the deletion of the chosen manifest the actor's next step.
func (t *turn) toRemove() {
	t.reset(removing)
	t.actor().by = before
	t.forgetAuthor()
}

// forgetAuthor clears the author of the manifest read, where the delete does not depend on it.
func (t *turn) forgetAuthor() {
	if !t.m.rules.deletesWhatWasRead {
		t.actor().by = noAuthor
	}
}

// remove sends the delete.
func (t turn) remove() {
	a := t.actor()
	if t.m.cast[t.i].twice {
		a.again |= a.todo
		if a.target > 0 {
			a.againManifests, a.againBy = 1<<(a.target-1), a.by
		}
	}
	todo, target, by := a.todo, a.target, a.by
	a.by, a.pc = noAuthor, putting
	if target > 0 {
		t.delete(0, 1<<(target-1), by)
		t.emit("sends the delete of manifest %d", target)
		return
	}
	t.delete(todo, 0, noAuthor)
	t.emit("sends the delete of %v", todo)
}

// delete is the effect of a delete when it arrives. Without a condition it deletes any existing
// object. With one, it deletes only what the repair has read: a damaged object, or that author's
// manifest. (The rest of a damaged manifest has the author of the right one.) A prune's deletes
// have no condition.
func (t *turn) delete(x objects, manifests uint8, by author) {
	s := t.store()
	conditional := t.m.cast[t.i].job == repair && t.m.rules.deletesWhatWasRead
	s.spoiled &^= x
	if !conditional {
		s.objects &^= x
	}
	for i := range s.manifests {
		if manifests>>i&1 == 0 {
			continue
		}
		if !conditional || s.manifests[i].by == by && s.isBad(i+1) == (by == before) {
			s.remove(i + 1)
		}
	}
}

// deleteAgain is the effect of deletes that arrive once more.
func (t turn) deleteAgain() {
	a := t.actor()
	x, manifests, by := a.again, a.againManifests, a.againBy
	a.again, a.againManifests, a.againBy = 0, 0, noAuthor
	t.delete(x, manifests, by)
	t.emit("sent deletes of manifests %v and of %v, which arrive again", numbers(manifests), x)
}

// putBack creates the missing or deleted object again, from a copy.
func (t turn) putBack() {
	a, s := t.actor(), t.store()
	a.pc = confirming
	if n := int(a.target); n > 0 {
		switch m := &s.manifests[n-1]; {
		case m.by == noAuthor:
			truth := s.truth()
			*m = manifest{by: before, names: t.m.history[n-1], bornVoid: !truth.valid(n, before)}
			t.emit("restores manifest %d", n)
		case m.by == before && !s.isBad(n):
			t.emit("finds manifest %d restored by another", n)
		default:
			t.restart("finds another manifest %d", n)
		}
		return
	}
	if s.spoiled&a.todo != 0 {
		a.pc = removing
		t.emit("finds another %v there", a.todo)
		return
	}
	s.objects |= a.todo
	t.emit("restores %v", a.todo)
}

// confirm reads the restored object.
func (t turn) confirm() {
	a, s := t.actor(), t.store()
	n, x := int(a.target), a.todo
	t.reset(start)
	t.actor().target = 0
	switch {
	case n > 0 && (s.manifests[n-1].by != before || s.isBad(n)):
		t.restart("reads manifest %d, which is not what it has restored", n)
	case n > 0:
		t.emit("reports manifest %d repaired", n)
	case x&^s.objects != 0:
		t.restart("reads %v, which is not what it has restored", x)
	default:
		t.emit("reports %v repaired", x)
	}
}
