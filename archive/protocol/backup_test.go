package protocol

// backup takes one step of the backup.
func (t turn) backup() {
	a := t.actor()
	switch a.pc {
	case start:
		if !t.m.rules.ledgerBefore {
			t.listManifests()
			return
		}
		t.readLedger(t.m.cast[t.i].store, func(t turn) {
			if t.m.joined {
				t.listManifests()
				return
			}
			t.actor().pc = listing
			t.emit("has read the ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	case listing:
		if !t.m.rules.ledgerBefore {
			t.readLedger(t.m.cast[t.i].store, func(t turn) { t.plan() })
			return
		}
		t.listManifests()
	case reading:
		t.plan()
	case storing:
		t.storeOne()
	case committing:
		t.commit()
	case settling:
		switch m := t.store().manifests[a.aim-1]; m.by {
		case t.me():
			a.pc = checking
			t.emit("reads manifest %d: it is its own", a.aim)
		case noAuthor:
			t.restart("reads manifest %d: there is none", a.aim)
		default:
			t.lost()
		}
	case checking:
		t.readLedger(t.m.cast[t.i].store, func(t turn) { t.report() })
	}
}

// listManifests lists the manifests and, in a coarse model, reads the newest with the same step.
func (t turn) listManifests() {
	a := t.actor()
	a.list = t.store().list()
	switch {
	case !t.m.rules.ledgerBefore:
		a.pc = listing
	case t.m.splitManifests:
		a.pc = reading
	default:
		t.plan()
		return
	}
	t.emit("lists the manifests up to %d", greatestOf(a.list))
}

// plan reads the base manifest, and chooses the content that the source now holds.
func (t turn) plan() {
	a, p := t.actor(), &t.m.cast[t.i]
	list := a.list
	if t.m.rules.farIsNothing {
		list = t.store().counting(a.list, &a.rec)
	}
	greatest := max(greatestOf(list), int(a.rec.newest), p.witnessed)
	aim := greatest + 1
	for (a.list|a.rec.void)>>(aim-1)&1 != 0 { // it counts for nothing, and has the number
		aim++
	}
	base := 0
	blind := p.blind
	for n := greatestOf(list); n > 0 && base == 0; n-- {
		switch m := t.store().manifests[n-1]; {
		case list>>(n-1)&1 == 0 || !a.rec.validNumber(n):
		case m.by == noAuthor:
			t.restart("finds manifest %d gone", n)
			return
		case !a.rec.valid(n, m.by), t.store().isBad(n):
		case blind:
			blind = false // cannot read this one, and takes the next
		default:
			base = n
		}
	}
	var reuse objects
	if base > 0 {
		reuse = t.store().manifests[base-1].names
	}
	if !t.m.rules.reuseNewestOnly {
		for n := range base {
			reuse |= t.store().manifests[n].names
		}
	}
	if t.m.rules.reuseBelowOnly && base != greatest || a.doubt {
		reuse = 0
	}
	was := 0
	if base > 0 {
		was = t.store().manifests[base-1].names.contentsOf()
	}
	if aim > t.m.sequences {
		t.stop()
		t.emit("would aim at %d: out of bounds, and stops", aim)
		return
	}
	for want := 1; want < 1<<contents; want++ {
		if want == was {
			t.unchanged(base)
			continue
		}
		t.want(want, base, aim, reuse)
		if found := reuse & t.m.rot.struck(); found != 0 { // a verify may have found it; then the backup stores it again
			t.want(want, base, aim, reuse&^found)
		}
	}
}

// unchanged finds that the base holds the source's present content. It reports that as it would
// report a commit: after a read of the ledger.
func (t turn) unchanged(base int) {
	if !t.m.idle {
		return
	}
	m := t.store().manifests[base-1]
	t.reset(checking)
	a := t.actor()
	a.aim, a.by, a.bornVoid = int8(base), m.by, m.bornVoid
	if !t.m.rules.ledgerAfter {
		t.done("finds snapshot %d unchanged", base)
		return
	}
	t.emit("finds snapshot %d unchanged", base)
}

func (t turn) want(want, base, aim int, reuse objects) {
	number := aim
	if !t.m.rules.numbersInKeys {
		number = 1 // all bear the same
	}
	var names, todo objects
	for c := range contents {
		if want>>c&1 == 0 {
			continue
		}
		if x := reuse.find(c); x != 0 {
			names |= x
		} else {
			names |= object(c, number)
			todo |= object(c, number)
		}
	}
	t.reset(committing)
	a := t.actor()
	if todo != 0 {
		a.pc = storing
	}
	a.aim, a.names, a.todo = int8(aim), names, todo
	t.emit("builds on snapshot %d, aims at %d, which shall name %v, and will store %v", base, aim, names, todo)
}

// storeOne puts an object; an existing object of the same name is the same.
func (t turn) storeOne() {
	a := t.actor()
	x := a.todo
	if !t.m.joined {
		x = x.lowest()
	}
	t.store().objects |= x
	a.todo &^= x
	if a.todo == 0 {
		a.pc = committing
	}
	t.emit("stores %v", x)
}

// commit creates the manifest.
func (t turn) commit() {
	a, s := t.actor(), t.store()
	m := &s.manifests[a.aim-1]
	if m.by != noAuthor && t.m.rules.createOnly {
		t.lost()
		return
	}
	truth := s.truth()
	*m = manifest{by: t.me(), names: a.names}
	m.bornVoid = !truth.valid(int(a.aim), m.by)
	a.names, a.by, a.bornVoid = 0, m.by, m.bornVoid
	if t.m.cast[t.i].lossy {
		t := t
		t.actor().pc = settling
		t.emit("creates manifest %d, and the answer is lost", a.aim)
	}
	a.pc = checking
	if !t.m.rules.checkCommit {
		t.done("creates manifest %d, and reports it", a.aim)
		return
	}
	t.emit("creates manifest %d", a.aim)
}

func (t turn) lost() {
	a := t.actor()
	if t.m.rules.replan {
		t.restart("finds manifest %d made by another", a.aim)
		return
	}
	if int(a.aim) == t.m.sequences {
		t.stop()
		t.emit("is out of bounds, and stops")
		return
	}
	a.pc = committing
	a.aim++
	t.emit("finds manifest %d made by another, and takes the next number", a.aim-1)
}

// report ends the backup, if the ledger as read has not dropped the snapshot.
func (t turn) report() {
	a := t.actor()
	if !a.rec.valid(int(a.aim), a.by) {
		t.restart("finds that record %d %v has dropped %d", a.number, &a.rec, a.aim)
		return
	}
	t.done("reports snapshot %d", a.aim)
}

func (t turn) done(format string, args ...any) {
	err := ""
	if t.actor().bornVoid {
		err = "it reports a snapshot that was invalid from the beginning"
	}
	t.finish()
	t.emitErr(err, format, args...)
}
