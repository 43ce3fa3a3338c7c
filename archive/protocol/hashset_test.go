package protocol

import (
	"math/rand/v2"
	"testing"
)

// A hashSet is a set of 64-bit hashes, in one array without pointers: a state costs ten to
// twenty bytes, and finding it one access to memory.
type hashSet struct {
	slots []uint64 // 0: free
	n     int
}

// add adds a hash, and reports whether it is new.
func (s *hashSet) add(h uint64) bool {
	if s.n >= len(s.slots)*5/8 {
		s.grow()
	}
	if h == 0 {
		h = 1 // 0 marks a free slot
	}
	i := s.find(h)
	if s.slots[i] == h {
		return false
	}
	s.slots[i] = h
	s.n++
	return true
}

// has reports whether a hash is in the set.
func (s *hashSet) has(h uint64) bool {
	if s.n == 0 {
		return false
	}
	if h == 0 {
		h = 1
	}
	return s.slots[s.find(h)] == h
}

// touch begins to fetch the slot of a hash from memory.
func (s *hashSet) touch(h uint64) uint64 {
	if len(s.slots) == 0 {
		return 0
	}
	return s.slots[h&uint64(len(s.slots)-1)]
}

// find returns the slot of a hash, or the free one where it belongs.
func (s *hashSet) find(h uint64) uint64 {
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}

// reserve makes room for n hashes in an empty set.
func (s *hashSet) reserve(n int) {
	size := 1 << 10
	for size*5/8 <= n {
		size *= 2
	}
	s.slots = make([]uint64, size)
}

func (s *hashSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1<<10, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.slots[s.find(h)] = h
		}
	}
}

// A set that loses hashes makes the checker go round for ever. A set with extra hashes makes it
// pass over states.
func TestHashSet(t *testing.T) {
	var s hashSet
	random := rand.New(rand.NewPCG(1, 1))
	added := map[uint64]bool{}
	for range 100_000 {
		h := random.Uint64N(200_000) * 0x9e3779b97f4a7c15 // as spread as hashes are; 0 stays 0
		if s.has(h) != added[h] || s.add(h) == added[h] || !s.has(h) {
			t.Fatalf("%d is in the set: %v, and should be: %v", h, s.has(h), added[h])
		}
		added[h] = true
	}
	if s.n != len(added) {
		t.Errorf("%d hashes are counted as %d", len(added), s.n)
	}
}
