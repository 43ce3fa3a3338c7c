package protocol

// vandalize creates one object that no actor can read, of any kind and number. It is created once, as all are: the
// vandal cannot change what exists.
func (t turn) vandalize() {
	s := t.store()
	for n := 1; n <= t.m.sequences+1; n++ {
		if s.manifests[n-1].by != noAuthor {
			continue
		}
		t := t
		t.store().manifests[n-1] = manifest{by: t.me()}
		t.store().bad |= 1 << (n - 1)
		t.finish()
		t.emit("creates an unreadable manifest %d", n)
	}
	for n := 1; n <= t.m.records+1; n++ {
		if s.ledger[n-1].by != noAuthor {
			continue
		}
		t := t
		t.store().ledger[n-1] = record{by: t.me(), newest: junk}
		t.finish()
		t.emit("creates an unreadable record %d", n)
	}
	for x := objects(1); x <= upTo(t.m.sequences+1); x <<= 1 {
		if (s.objects|s.spoiled)&x != 0 {
			continue
		}
		t := t
		t.store().spoiled |= x
		t.finish()
		t.emit("creates other bytes under the key of %v", x)
	}
}

// rebuildLedger is what a repair does about a record that cannot be read: the next free record keeps every snapshot
// that the one before allows, and holds it.
func (s *store) rebuildLedger() {
	old := s.truth()
	unread := s.greatest() + 1
	for n := unread + 1; s.greatest() == 0 && n <= maxRecord; n++ {
		if s.ledger[n-1].newest == junk {
			unread = n
		}
	}
	next := unread + 1
	for next <= maxRecord && s.ledger[next-1].by != noAuthor {
		next++
	}
	list := s.list()
	counts := s.counting(list, &old)
	r := record{by: before, parent: noAuthor, kept: old.kept, newest: old.newest}
	for n := 1; n <= maxSequence; n++ {
		if counts>>(n-1)&1 != 0 && old.valid(n, s.manifests[n-1].by) {
			r.kept[n-1], r.newest = s.manifests[n-1].by, max(r.newest, int8(n))
		}
		if r.kept[n-1] != noAuthor {
			r.held |= 1 << (n - 1)
		}
	}
	r.void = (old.void | list&^counts) &^ (1<<r.newest - 1)
	s.ledger[next-1] = r
}

// isVandalized reports whether a manifest that cannot be read counts.
func (s *store) isVandalized(rot rot) bool {
	truth := s.truth()
	counts := s.counting(s.list(), &truth)
	for n := 1; n <= maxSequence; n++ {
		if n != rot.manifest && s.isBad(n) && counts>>(n-1)&1 != 0 && truth.valid(n, s.manifests[n-1].by) {
			return true
		}
	}
	return false
}
