package archive_test

import "testing"

// lateDeletes are rounds of TestRepairsInterleaved in which a repair deletes a right object, as a
// delete is not bound to the version that was found damaged. The store then lacks an object that
// snapshots need, until the next repair has restored it from a copy. All other promises hold in
// these rounds. An entry that passes fails the build: take it off the list then.
var lateDeletes = []struct {
	seed uint64
	why  string
}{
	{207, "repair 2 compares a data object, is suspended, and deletes the object that another repair has restored"},
	{332, "repair 0 abandons the delete of manifest 4; the request arrives when the right one is back"},
}

// noteWeak notes that a repair has deleted what was right.
func (w *theatre) noteWeak(what string) {
	w.say("%s", what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weak = append(w.weak, what)
}

// A known weakness must stay known: each case on the list has to happen, and nothing worse. How
// long parties pause is random, so a round gets several tries.
func TestKnownLateDeletes(t *testing.T) {
	t.Parallel()
	states := databaseStates(t)
	for _, known := range lateDeletes {
		var weak []string
		for try := 0; try < 30 && len(weak) == 0; try++ {
			virtually(t, func(t *testing.T) { _, weak = repairsInterleaved(t, known.seed, states) })
		}
		if len(weak) == 0 {
			t.Errorf("seed %d passes, take it off the list: %s", known.seed, known.why)
		}
	}
}
