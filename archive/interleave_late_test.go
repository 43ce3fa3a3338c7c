package archive_test

import (
	"testing"
)

// These are seeds of TestRepairsInterleaved in which a repair deleted an object that another repair had
// restored, when a delete was not bound to the version that was read.
var lateDeletes = []struct {
	seed uint64
	how  string
}{
	{207, "repair 2 compares a data object, is suspended, and deletes it after another repair has restored it"},
	{332, "repair 0 abandons the delete of manifest 4; the request arrives when the right one is back"},
	{377, "repair 4 compares a data object, is suspended, and deletes it after another repair has restored it"},
	{571, "repair 3 compares a data object, is suspended, and deletes it after another repair has restored it"},
}

// A delete that arrives late removes nothing that another repair has restored. How long parties pause is
// random, so a seed gets several tries.
func TestLateDeletes(t *testing.T) {
	t.Parallel()
	states := databaseStates(t)
	for _, c := range lateDeletes {
		for try := 0; try < 8 && !t.Failed(); try++ {
			virtually(t, func(t *testing.T) { repairsInterleaved(t, c.seed, states) })
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", c.seed, c.how)
		}
	}
}
