package protocol

// lister takes one step of listing the snapshots. It reads the manifests and then the ledger, which
// lists the valid ones. In the other order it could show an invalid manifest that was created after
// it read the ledger.
func (t turn) lister() {
	a, m := t.actor(), t.m
	st := m.cast[t.i].store
	after := m.rules.ledgerAfter
	switch {
	case a.pc == start && after, a.pc == listing && !after:
		t.readManifests()
	default:
		t.readLedger(st, func(t turn) {
			if after {
				t.show()
				return
			}
			t.actor().pc = listing
			t.emit("has read the ledger: record %d %v", t.actor().number, &t.actor().rec)
		})
	}
}

// readManifests records the manifests that exist; late marks those that were invalid from the
// beginning.
func (t turn) readManifests() {
	a, s := t.actor(), t.store()
	for i, m := range s.manifests {
		a.seen[i] = m.by
		if m.by != noAuthor && m.bornVoid {
			a.late |= 1 << i
		}
	}
	a.pc = listing
	if t.m.rules.ledgerAfter {
		t.emit("reads the manifests up to %d", greatestOf(s.list()))
		return
	}
	t.show()
}

func (t turn) show() {
	a := t.actor()
	err := ""
	var shown numbers
	for i, by := range a.seen {
		if !a.rec.valid(i+1, by) {
			continue
		}
		shown |= 1 << i
		if a.late>>i&1 != 0 {
			err = "it shows a manifest that was invalid from the beginning"
		}
	}
	t.finish()
	t.emitErr(err, "shows %v", shown)
}
