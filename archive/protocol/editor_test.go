package protocol

// editor takes one step of an actor that writes ledger records: a prune, or a hold. Once a hold is
// reported, it becomes the release of the same snapshot.
func (t turn) editor() {
	a, m := t.actor(), t.m
	st := m.cast[t.i].store
	switch a.pc {
	case start:
		t.readLedger(st, func(t turn) {
			if t.m.joined {
				t.actor().list = t.store().list()
				t.decide()
				return
			}
			t.actor().pc = listing
			t.emit("has read the ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	case listing:
		a.list = t.store().list()
		if m.splitManifests {
			a.pc = reading
			t.emit("lists the manifests up to %d", greatestOf(a.list))
			return
		}
		t.decide()
	case reading:
		t.decide()
	case committing:
		t.putRecord()
	case settling:
		switch r := t.store().record(int(a.aim)); r.by {
		case t.me():
			a.pc = checking
			t.emit("reads record %d: it is its own", a.aim)
		case noAuthor:
			t.restart("reads record %d: there is none", a.aim)
		default:
			t.lostRecord()
		}
	case checking:
		t.checkRecord()
	case gathering:
		t.gather()
	case deleting:
		t.clean()
	case holding:
		t.reset(start)
		t.actor().target = -a.target
		t.emit("begins to release snapshot %d", a.target)
	}
}

// decide reads the manifests that the ledger does not list, and plans the record.
func (t turn) decide() {
	a := t.actor()
	if a.doubt && t.m.rules.doubtRefuses {
		t.finish()
		t.emit("cannot read the record after %d, and stops", a.number)
		return
	}
	valid := a.rec.kept
	list := a.list
	if t.m.rules.farIsNothing {
		list = t.store().counting(a.list, &a.rec)
	}
	for n := int(a.rec.newest) + 1; n <= greatestOf(list); n++ {
		if list>>(n-1)&1 == 0 {
			continue
		}
		if valid[n-1] = t.store().manifests[n-1].by; valid[n-1] == noAuthor {
			t.restart("finds manifest %d gone", n)
			return
		}
		if t.store().isBad(n) && t.m.cast[t.i].job != repair {
			if !t.m.rules.needsHash {
				valid[n-1] = noAuthor
				continue
			}
			t.finish()
			t.emit("cannot read manifest %d, finds its hash nowhere else, and stops", n)
			return
		}
	}
	newest := 0
	for i, by := range valid {
		if by != noAuthor {
			newest = i + 1
		}
	}
	if newest == 0 {
		t.finish()
		t.emit("finds no snapshot")
		return
	}
	plan := record{by: t.me(), parent: a.rec.by, newest: int8(newest), kept: valid, held: a.rec.held}
	plan.void = (a.rec.void | a.list&^list) &^ (1<<newest - 1)
	switch t.m.cast[t.i].job {
	case prune:
		t.choose(plan, 1)
	case repair:
		t.nameRight(plan)
	default:
		t.target(plan)
	}
}

// choose plans one record for each set of snapshots that a retention may keep.
func (t turn) choose(plan record, n int) {
	for ; n <= int(plan.newest); n++ {
		free := plan.kept[n-1] != noAuthor && !plan.holds(n)
		if free && (n < int(plan.newest) || !t.m.rules.newestKept && n > 1) {
			drop := plan
			drop.kept[n-1] = noAuthor
			t.choose(drop, n+1)
		}
	}
	t.planned(plan)
}

// target plans the hold of one snapshot, or its release.
func (t turn) target(plan record) {
	a := t.actor()
	if n := -a.target; n > 0 {
		plan.held &^= 1 << (n - 1)
		t.planned(plan)
		return
	}
	for n := 1; n <= int(plan.newest); n++ {
		if plan.kept[n-1] != noAuthor && (a.target == 0 || int(a.target) == n) {
			t := t
			p := plan
			p.held |= 1 << (n - 1)
			t.actor().target = int8(n)
			t.planned(p)
			a.target = int8(n) // one is enough: the prunes vary it
		}
	}
	if a.target == 0 || plan.kept[a.target-1] == noAuthor {
		t.finish()
		t.emit("finds that the snapshot is gone")
	}
}

// planned goes on with a plan. A plan equal to the record that it was planned from needs no record
// of its own.
func (t turn) planned(plan record) {
	a := t.actor()
	number, old := a.number, a.rec
	t.reset(committing)
	a.rec, a.aim = plan, number+1
	switch {
	case old.by != noAuthor && plan.sameAs(&old):
		a.rec, a.aim = old, number
		t.recorded("finds that record %d %v equals the plan", number, &old)
	case int(a.aim) > t.m.records:
		t.stop()
		t.emit("would write record %d: out of bounds, and stops", number+1)
	case !t.m.rules.recordFirst && t.m.cast[t.i].job == prune:
		a.pc = gathering
		t.emit("plans record %d %v, and deletes first", a.aim, &a.rec)
	default:
		t.emit("plans record %d %v", a.aim, &a.rec)
	}
}

func (t turn) putRecord() {
	a, s := t.actor(), t.store()
	r := &s.ledger[a.aim-1]
	if r.by != noAuthor && t.m.rules.createOnly {
		t.lostRecord()
		return
	}
	*r = a.rec
	if t.m.cast[t.i].lossy {
		t := t
		t.actor().pc = settling
		t.emit("creates record %d %v, and the answer is lost", a.aim, &a.rec)
	}
	if !t.m.rules.checkRecord {
		t.recorded("creates record %d %v", a.aim, &a.rec)
		return
	}
	a.pc = checking
	t.emit("creates record %d %v", a.aim, &a.rec)
}

func (t turn) lostRecord() {
	a := t.actor()
	switch {
	case t.m.rules.replanRecord:
		t.restart("finds record %d made by another", a.aim)
	case int(a.aim) == t.m.records:
		t.stop()
		t.emit("is out of bounds, and stops")
	default:
		a.pc = committing
		a.aim++
		t.emit("finds record %d made by another, and takes the next number", a.aim-1)
	}
}

// checkRecord checks that the new record is the greatest, or the parent of the greatest.
func (t turn) checkRecord() {
	plan := t.actor().rec
	aim := t.actor().aim
	t.readLedger(t.m.cast[t.i].store, func(t turn) {
		a := t.actor()
		number, rec := a.number, a.rec
		a.number, a.rec = 0, plan
		if number == aim || number == aim+1 && rec.parent == t.me() {
			t.recorded("reads the ledger: record %d is the greatest", number)
			return
		}
		t.restart("reads the ledger: record %d %v is the greatest", number, &rec)
	})
}

// recorded goes on once the ledger holds the plan.
func (t turn) recorded(format string, args ...any) {
	a := t.actor()
	switch {
	case t.m.cast[t.i].job == prune:
		if a.pc = gathering; t.m.joined {
			t.gather()
			return
		}
	case t.m.cast[t.i].job == repair:
		t.toRemove()
	case a.target < 0:
		t.finish()
	default:
		t.reset(holding)
	}
	t.emit(format, args...)
}
