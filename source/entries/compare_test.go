package entries_test

import (
	"bytes"
	"encoding/binary"
	"hash/adler32"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// compareEnd returns where two versions of a file cease to have the same entries. It passes them in pieces.
func compareEnd(one, other []byte, piece int) (end int64, differs bool) {
	c := je.NewReader(3).Comparer()
	for at := 0; at < len(one) && at < len(other); at += piece {
		to := min(at+piece, len(one), len(other))
		c.Compare(one[at:to], other[at:to])
	}
	return c.End(), c.Differs()
}

// A database changes entries in place, and a power loss may undo that. Neither is another history. If one of these
// changes counted as one, the backup of a sound database would stop.
func TestComparerAcceptsChangesInPlace(t *testing.T) {
	t.Parallel()
	log, starts := logOf(3, 1, 100, 2000, 30, 700)
	for what, change := range map[string]func(b []byte){
		"nothing":   func([]byte) {},
		"invisible": func(b []byte) { b[starts[1]+5] |= 0x10 },
		"erased": func(b []byte) {
			b[starts[1]+4] = entriestest.JEErased
			clear(b[starts[1]+14 : starts[2]])
		},
		"both": func(b []byte) {
			b[starts[2]+4], b[starts[2]+5] = entriestest.JEErased, b[starts[2]+5]|0x10
			clear(b[starts[2]+14 : starts[3]])
		},
	} {
		changed := bytes.Clone(log.Bytes)
		change(changed)
		for _, piece := range []int{1, 13, 14, 37, 1000, len(changed)} {
			for _, order := range [][2][]byte{{log.Bytes, changed}, {changed, log.Bytes}} {
				if end, differs := compareEnd(order[0], order[1], piece); differs || end != int64(len(changed)) {
					t.Errorf("%s, in pieces of %d: the same up to %d of %d, %v", what, piece, end, len(changed), differs)
				}
			}
		}
	}
}

// Every other change is one of the log's content: the comparison ends before the entry that has it, wherever it is.
// Whether a source forked depends on that.
func TestComparerFindsEveryOtherChange(t *testing.T) {
	t.Parallel()
	log, starts := logOf(3, 2, 100, 900, 30, 0, 700)
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		at := random.IntN(len(log.Bytes))
		changed := bytes.Clone(log.Bytes)
		changed[at] ^= 1 << random.IntN(8)
		want := 0 // a change of the header
		for _, s := range starts {
			if s <= at {
				want = s
			}
		}
		if at-want == 5 && changed[at]^log.Bytes[at] == 0x10 && want > 0 {
			continue // the invisible flag
		}
		if at-want == 4 && changed[at] == entriestest.JEErased && want > 0 {
			continue
		}
		if end, differs := compareEnd(log.Bytes, changed, 1+random.IntN(300)); !differs || end != int64(want) {
			t.Fatalf("byte %d changed: the same up to %d, %v; want %d", at, end, differs, want)
		}
	}
}

// An entry with another item and a correct checksum is another entry, also if all sizes are the same.
func TestComparerFindsAnotherEntryOfTheSameSize(t *testing.T) {
	t.Parallel()
	log, starts := logOf(3, 3, 100, 200, 300)
	changed := bytes.Clone(log.Bytes)
	copy(changed[starts[1]+14:], "something else")
	binary.LittleEndian.PutUint32(changed[starts[1]:], adler32.Checksum(changed[starts[1]+4:starts[2]]))
	if end, differs := compareEnd(log.Bytes, changed, 64); !differs || end != int64(starts[1]) {
		t.Errorf("the same up to %d, %v; want %d", end, differs, starts[1])
	}
	cut := log.Bytes[:starts[2]+50]
	if end, differs := compareEnd(log.Bytes, cut, 64); differs || end != int64(starts[2]) {
		t.Errorf("a shorter file: the same up to %d, %v; want %d", end, differs, starts[2])
	}
}

// Until JE 6 there was no eraser, and before version 7 the flag was a part of the version: both are other entries.
func TestComparerFollowsTheLogVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint32]bool{6: true, 7: false, 26: false} {
		log := entriestest.NewJE(version, 3, 7)
		log.Add(entriestest.JERecord, make([]byte, 50))
		changed := bytes.Clone(log.Bytes)
		changed[38+5] ^= 0x10
		if _, differs := compareEnd(log.Bytes, changed, 64); differs != want {
			t.Errorf("the invisible flag in version %d: differs %v", version, differs)
		}
	}
	for version, want := range map[uint32]bool{16: true, 17: false} {
		log := entriestest.NewJE(version, 3, 7)
		log.Add(entriestest.JERecord, []byte("some item"))
		changed := bytes.Clone(log.Bytes)
		changed[38+4] = entriestest.JEErased
		clear(changed[38+14:])
		if _, differs := compareEnd(log.Bytes, changed, 64); differs != want {
			t.Errorf("an erased entry in version %d: differs %v", version, differs)
		}
	}
}
