package protocol

// gather reads the kept manifests, to collect the objects that they name. If one cannot be read,
// nothing may be deleted; if a later record has dropped it, the prune plans again.
func (t turn) gather() {
	a := t.actor()
	a.names = 0
	for i, by := range a.rec.kept {
		if by == noAuthor {
			continue
		}
		m := t.store().manifests[i]
		switch {
		case !t.m.rules.readsAllKept && (m.by != by || t.store().isBad(i+1)):
			continue
		case i+1 == t.m.rot.manifest && (m.by != by || t.store().isBad(i+1)):
			t.finish()
			t.emit("cannot read manifest %d, and deletes nothing", i+1)
			return
		case m.by != by:
			t.restart("cannot read manifest %d, which record %d keeps", i+1, a.aim)
			return
		}
		a.names |= m.names
	}
	a.pc = deleting
	t.emit("reads the manifests that record %d keeps: they name %v", a.aim, a.names)
}

// clean deletes manifests first, then objects, then old records: one with each step, or all of a
// kind. Listing is no step of its own: an older listing holds fewer objects to delete, never more.
func (t turn) clean() {
	a, s := t.actor(), t.store()
	var gone uint8
	for n := 1; n <= maxSequence; n++ {
		dropped := n <= int(a.rec.newest) && a.rec.kept[n-1] == noAuthor || a.rec.isVoid(n)
		if m := &s.manifests[n-1]; m.by != noAuthor && dropped && (gone == 0 || !t.m.splitDeletes) {
			s.remove(n)
			gone |= 1 << (n - 1)
		}
	}
	if gone != 0 {
		if t.m.cast[t.i].twice {
			a.againManifests |= gone
		}
		t.emit("deletes manifests %v", numbers(gone))
		return
	}
	limit := upTo(int(a.rec.newest))
	if !t.m.rules.sparesHigher {
		limit = ^objects(0)
	}
	if x := (s.objects | s.spoiled) & limit &^ a.names; x != 0 {
		if t.m.splitDeletes {
			x = x.lowest()
		}
		s.objects &^= x
		s.spoiled &^= x
		if t.m.cast[t.i].twice {
			a.again |= x
		}
		if !t.m.joined {
			t.emit("deletes %v", x)
			return
		}
	}
	if !t.m.rules.recordFirst && s.ledger[a.aim-1].by != t.me() {
		a.pc = committing
		t.putRecord()
		return
	}
	for n := 1; n < int(a.aim); n++ {
		if r := &s.ledger[n-1]; r.by != noAuthor && (gone == 0 || !t.m.splitDeletes) {
			*r = record{}
			gone |= 1 << (n - 1)
		}
	}
	if gone != 0 && !t.m.joined {
		t.emit("deletes records %v", numbers(gone))
		return
	}
	t.finish()
	t.emit("has deleted everything that may be deleted")
}
