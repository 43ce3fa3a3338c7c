package protocol

// copier takes one step of the copy of archive 0 to archive 1.
func (t turn) copier() {
	a := t.actor()
	switch a.pc {
	case start:
		t.readLedger(1, func(t turn) {
			if t.m.joined {
				t.targetNewest()
				return
			}
			t.actor().pc = listing
			t.emit("has read the target's ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	case listing:
		t.targetNewest()
	case sourcing:
		t.readLedger(0, func(t turn) {
			t.actor().pc = choosing
			t.emit("has read the source's ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	case choosing:
		t.chooseNext()
	case reading:
		t.readNext()
	case judging:
		t.readLedger(0, func(t turn) { t.judge() })
	case fetching:
		t.fetch()
	case storing:
		x := a.todo
		if !t.m.joined {
			x = x.lowest()
		}
		t.copyStore().objects |= x
		if a.todo &^= x; a.todo == 0 {
			a.pc = committing
		}
		t.emit("stores %v in the target", x)
	case committing:
		t.commitCopy()
	case settling:
		if m := t.copyStore().manifests[a.aim-1]; m.by != a.by {
			t.restart("reads the target's manifest %d: it is by %v", a.aim, m.by)
			return
		}
		a.pc = checking
		t.emit("reads the target's manifest %d: it is the right one", a.aim)
	case checking:
		t.readLedger(1, func(t turn) {
			a := t.actor()
			if !a.rec.valid(int(a.aim), a.by) {
				t.restart("finds that the target's record %d %v has dropped %d", a.number, &a.rec, a.aim)
				return
			}
			t.copyDone("reports snapshot %d copied", a.aim)
		})
	}
}

func (t *turn) source() *store    { return &t.s.stores[0] }
func (t *turn) copyStore() *store { return &t.s.stores[1] }

// targetNewest reads the target's newest snapshot; the snapshots above it are to be copied.
func (t turn) targetNewest() {
	a, to := t.actor(), t.copyStore()
	base := 0
	for n := greatestOf(to.list()); n > 0 && base == 0; n-- {
		if a.rec.valid(n, to.manifests[n-1].by) {
			base = n
		}
	}
	t.reset(choosing)
	if !t.m.rules.copyJudgesAfter {
		a.pc = sourcing
	}
	a.base, a.aim = int8(base), int8(base)
	if base > 0 {
		a.names = to.manifests[base-1].names
	}
	if t.m.joined && a.pc == choosing {
		t.chooseNext()
		return
	}
	t.emit("finds %d to be the target's newest", base)
}

// chooseNext lists the source's manifests above the last one that it read.
func (t turn) chooseNext() {
	a, from := t.actor(), t.source()
	for n := int(a.aim) + 1; n <= maxSequence; n++ {
		if from.manifests[n-1].by == noAuthor || !a.rec.validNumber(n) {
			continue
		}
		a.aim, a.pc = int8(n), reading
		if t.m.splitManifests {
			t.emit("lists the source's manifests: %d is next", n)
			return
		}
		t.readNext()
		return
	}
	t.finish()
	t.emit("finds nothing more to copy")
}

func (t turn) readNext() {
	a, from := t.actor(), t.source()
	m := from.manifests[a.aim-1]
	if m.by == noAuthor || !a.rec.valid(int(a.aim), m.by) {
		t.restart("finds the source's manifest %d gone", a.aim)
		return
	}
	if from.isBad(int(a.aim)) {
		a.pc = choosing
		t.emit("cannot read the source's manifest %d, and passes it over", a.aim)
		return
	}
	a.by, a.todo, a.bornVoid = m.by, m.names, m.bornVoid
	a.number, a.rec, a.pc = 0, record{}, judging
	if !t.m.rules.copyJudgesAfter {
		t.accept("reads the source's manifest %d by %v %v", a.aim, m.by, m.names)
		return
	}
	t.emit("reads the source's manifest %d by %v %v", a.aim, m.by, m.names)
}

// judge checks whether the manifest is valid by the ledger as it is after the manifest was read.
func (t turn) judge() {
	a := t.actor()
	number, rec := a.number, a.rec
	a.number, a.rec = 0, record{}
	if !rec.valid(int(a.aim), a.by) {
		a.by, a.todo, a.bornVoid, a.pc = noAuthor, 0, false, choosing
		t.emit("passes over the source's manifest %d, which record %d %v has dropped", a.aim, number, &rec)
		return
	}
	t.accept("judges that the source's manifest %d counts", a.aim)
}

// accept checks that the target's newest snapshot is from the source's past: it names each object
// that the next manifest names with a number up to its own.
func (t turn) accept(format string, args ...any) {
	a := t.actor()
	old := upTo(int(a.base))
	err := ""
	if a.todo&old&^a.names != 0 {
		err = "a copy finds that the target has another past, and can never go on"
	}
	a.pc, a.names, a.todo = fetching, a.todo, a.todo&^old
	if t.m.joined && err == "" {
		t.fetch()
		return
	}
	t.emitErr(err, format, args...)
}

// fetch reads from the source the objects that the target lacks.
func (t turn) fetch() {
	a, from := t.actor(), t.source()
	lost := a.todo &^ from.objects
	if lost&t.m.rot.struck() != 0 {
		t.finish()
		t.emit("cannot read %v from the source, and stops", lost)
		return
	}
	if lost != 0 {
		t.restart("cannot read %v from the source", lost)
		return
	}
	if a.pc = storing; a.todo == 0 {
		a.pc = committing
	}
	t.emit("reads %v from the source", a.todo)
}

func (t turn) commitCopy() {
	a, to := t.actor(), t.copyStore()
	m := &to.manifests[a.aim-1]
	a.pc = checking
	if m.by != noAuthor && t.m.rules.createOnly {
		if m.by != a.by {
			t.restart("finds another manifest %d in the target", a.aim)
			return
		}
		t.emit("finds manifest %d in the target already", a.aim)
		return
	}
	truth := to.truth()
	err := ""
	if a.bornVoid {
		err = "a manifest that was invalid in the source becomes a snapshot of the copy"
	}
	*m = manifest{by: a.by, names: a.names}
	m.bornVoid = !truth.valid(int(a.aim), m.by)
	a.names, a.bornVoid = 0, m.bornVoid
	if t.m.cast[t.i].lossy {
		t := t
		t.actor().pc = settling
		t.emitErr(err, "creates manifest %d in the target, and the answer is lost", a.aim)
	}
	if !t.m.rules.copyChecks && err == "" {
		t.copyDone("creates manifest %d in the target, and reports it", a.aim)
		return
	}
	t.emitErr(err, "creates manifest %d in the target", a.aim)
}

// copyDone reports one snapshot; the copy goes on with the next.
func (t turn) copyDone(format string, args ...any) {
	err := ""
	if t.actor().bornVoid {
		err = "it reports a snapshot that was invalid from the beginning"
	}
	t.reset(start)
	t.emitErr(err, format, args...)
}
