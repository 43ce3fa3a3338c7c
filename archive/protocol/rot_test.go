package protocol

import "fmt"

// A rot is the damage that an archive has in the first state. There is no later rot, so any other
// missing or damaged object is an actor's doing. A repair restores objects from a copy, which has
// everything that the archive had.
type rot struct {
	spoiled  objects // there, with other bytes
	gone     objects
	manifest int // this manifest cannot be read; 0: none
}

// struck are the objects that the rot has spoiled or removed.
func (r rot) struck() objects { return r.spoiled | r.gone }

func (s *store) strike(r rot) {
	s.objects &^= r.struck()
	s.spoiled = r.spoiled
	if r.manifest > 0 {
		s.bad = 1 << (r.manifest - 1)
	}
}

// rotOf is the rot of one of the archives.
func (m *model) rotOf(archive int) rot {
	if archive > 0 {
		return rot{}
	}
	return m.rot
}

// replaced describes a valid object that an actor of this job has deleted or changed although no
// record dropped it. A repair may delete the rest of a damaged manifest. Without a condition, its
// delete may also remove an object that another repair has just restored.
func (m *model) replaced(was, is *store, archive int, by job) string {
	rot, truth, old := m.rotOf(archive), is.truth(), was.truth()
	if was.greatest() != is.greatest() {
		if n := rot.manifest; n > 0 && by != prune && old.valid(n, before) && !truth.valid(n, before) {
			return fmt.Sprintf("a %v drops snapshot %d", by, n)
		}
		return ""
	}
	for i := range was.manifests {
		n, old := i+1, &was.manifests[i]
		if !truth.valid(n, old.by) || *old == is.manifests[i] && was.isBad(n) == is.isBad(n) {
			continue
		}
		switch {
		case by == repair && n == rot.manifest && was.isBad(n) && is.manifests[i].by == noAuthor:
		case by == repair && n == rot.manifest && !m.lasting:
		case by == repair && n == rot.manifest:
			return fmt.Sprintf("a repair deletes manifest %d, which is right", n)
		default:
			return fmt.Sprintf("snapshot %d has gone or changed, and no record dropped it", n)
		}
	}
	if gone := was.objects &^ is.objects; m.lasting && gone != 0 {
		for i := range is.manifests {
			if needed := is.manifests[i].names & gone; needed != 0 && truth.valid(i+1, is.manifests[i].by) {
				return fmt.Sprintf("a %v deletes %v, which is right, and which snapshot %d names", by, needed, i+1)
			}
		}
	}
	return ""
}

// lacking describes a valid object that is not as it was stored.
func lacking(s *store, rot rot) string {
	truth := s.truth()
	for i := range s.manifests {
		m, n := &s.manifests[i], i+1
		counts := n == rot.manifest && truth.valid(n, before)
		if counts && (m.by != before || s.isBad(n)) {
			return fmt.Sprintf("manifest %d is not what it was", n)
		}
		if lost := m.names &^ s.objects; truth.valid(n, m.by) && lost != 0 {
			return fmt.Sprintf("%v is not what was stored, and snapshot %d names it", lost, n)
		}
	}
	return ""
}

// repairsDone reports whether every repair has ended.
func (m *model) repairsDone(s *state) bool {
	for i, p := range m.cast {
		if p.job == repair && s.actors[i].pc != done {
			return false
		}
	}
	return true
}
