package protocol

import (
	"fmt"
	"math/bits"
	"strings"
)

// The bounds of a model. A scenario stays one below each, so that one more backup and one more
// prune can show a good end.
const (
	maxSequence = 6 // snapshots 1 to 6
	maxRecord   = 6 // ledger records 1 to 6
	contents    = 2 // the log files' contents: a and b
	maxActors   = 6
)

// An author stands for the hash of a manifest or record: no author writes two of one number.
type author uint8

const (
	noAuthor author = iota
	before          // the author of the initial history
	first           // the first actor; the others follow

	maxAuthors = first + maxActors
)

// objects is a set of data objects: content and the number it was stored for.
type objects uint16

func object(content, number int) objects { return 1 << ((number-1)*contents + content) }

// upTo are all objects with a number up to n.
func upTo(n int) objects { return 1<<(n*contents) - 1 }

// contentsOf is the set of contents, one bit each.
func (o objects) contentsOf() (c int) {
	for ; o != 0; o >>= contents {
		c |= int(o) & (1<<contents - 1)
	}
	return c
}

// find gives the object in o that holds a content, if there is one.
func (o objects) find(content int) objects {
	for n := maxSequence; n > 0; n-- {
		if x := object(content, n); o&x != 0 {
			return x
		}
	}
	return 0
}

// lowest is one object out of a set.
func (o objects) lowest() objects { return o & -o }

func (o objects) String() string {
	var all []string
	for ; o != 0; o &= o - 1 {
		i := bits.TrailingZeros16(uint16(o))
		all = append(all, fmt.Sprintf("%c-%d", 'a'+i%contents, i/contents+1))
	}
	return "{" + strings.Join(all, " ") + "}"
}

// A manifest is a snapshot's. The zero author means that there is none.
type manifest struct {
	names objects
	by    author

	// bornVoid: when it was created, the ledger had dropped its number. No step reads this; the
	// invariants do.
	bornVoid bool
}

// A record is one ledger record.
type record struct {
	by     author
	parent author // of the record before it
	newest int8
	kept   [maxSequence]author // of the manifests, by number
	held   uint8               // bit n-1: snapshot n
	void   uint8               // bit n-1: number n, above newest, which no snapshot ever has
}

// junk is the newest of a record that a vandal has created, and that no actor can read.
const junk = -1

func (r *record) holds(n int) bool { return r.held>>(n-1)&1 != 0 }

func (r *record) isVoid(n int) bool { return r.void>>(n-1)&1 != 0 }

// valid is rule 4 of the format. The zero record, that of an archive without a ledger, makes every
// manifest valid.
func (r *record) valid(n int, by author) bool {
	return by != noAuthor && !r.isVoid(n) && (r.by == noAuthor || n > int(r.newest) || r.kept[n-1] == by)
}

// validNumber is valid for an actor without the hash.
func (r *record) validNumber(n int) bool {
	return !r.isVoid(n) && (r.by == noAuthor || n > int(r.newest) || r.kept[n-1] != noAuthor)
}

// sameAs reports whether two records have the same content.
func (r *record) sameAs(o *record) bool {
	return r.newest == o.newest && r.kept == o.kept && r.held == o.held && r.void == o.void
}

// A store is one archive in one bucket.
type store struct {
	objects   objects // as they were stored
	spoiled   objects // there, with other bytes
	manifests [maxSequence]manifest
	ledger    [maxRecord]record
	bad       uint16 // bit n-1: manifest n cannot be read
}

func (s *store) isBad(n int) bool { return s.bad>>(n-1)&1 != 0 }

func (s *store) remove(n int) {
	s.manifests[n-1] = manifest{}
	s.bad &^= 1 << (n - 1)
}

// greatest is the number of the ledger's greatest record that can be read, 0 without one.
func (s *store) greatest() int {
	for n := maxRecord; n > 0; n-- {
		if r := &s.ledger[n-1]; r.by != noAuthor && r.newest != junk {
			return n
		}
	}
	return 0
}

// hasDoubt reports whether the record after the greatest exists and cannot be read. Without any that can be read, it
// is the greatest.
func (s *store) hasDoubt() bool {
	g := s.greatest()
	if g > 0 {
		return g < maxRecord && s.ledger[g].newest == junk
	}
	for i := range s.ledger {
		if s.ledger[i].newest == junk {
			return true
		}
	}
	return false
}

// ahead is how far above the greatest manifest that can be read another one may be, and still count. In the program
// it is 1,000.
const ahead = 1

// counting are those of the listed manifests that count by their numbers.
func (s *store) counting(list uint8, r *record) uint8 {
	reach := int(r.newest)
	for n := greatestOf(list); n > reach; n-- {
		if list>>(n-1)&1 != 0 && !s.isBad(n) { // one that is gone by now could be read, too
			reach = n
		}
	}
	return list & (1<<(reach+ahead) - 1) &^ r.void
}

// record is the record of this number; number 0 has the zero record.
func (s *store) record(n int) record {
	if n == 0 {
		return record{}
	}
	return s.ledger[n-1]
}

// truth is the record in force.
func (s *store) truth() record { return s.record(s.greatest()) }

// list is the set of manifest numbers, one bit each.
func (s *store) list() (all uint8) {
	for i := range s.manifests {
		if s.manifests[i].by != noAuthor {
			all |= 1 << i
		}
	}
	return all
}

// greatestOf is the greatest number in a listing, 0 in an empty one.
func greatestOf(list uint8) int { return bits.Len8(list) }

// numbers is a set of numbers, one bit each.
type numbers uint8

func (set numbers) String() string {
	var all []int
	for ; set != 0; set &= set - 1 {
		all = append(all, bits.TrailingZeros8(uint8(set))+1)
	}
	return fmt.Sprint(all)
}

func (s *store) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "objects %v", s.objects)
	if s.spoiled != 0 {
		fmt.Fprintf(&b, ", damaged %v", s.spoiled)
	}
	truth := s.truth()
	for i, m := range s.manifests {
		if m.by == noAuthor {
			continue
		}
		fmt.Fprintf(&b, "; manifest %d by %v %v", i+1, m.by, m.names)
		if s.isBad(i + 1) {
			b.WriteString(" (damaged)")
		}
		if !truth.valid(i+1, m.by) {
			b.WriteString(" (invalid)")
		}
	}
	for i := range s.ledger {
		if r := &s.ledger[i]; r.by != noAuthor {
			fmt.Fprintf(&b, "; record %d by %v %v", i+1, r.by, r)
		}
	}
	return b.String()
}

func (r *record) String() string {
	var kept []string
	for i, by := range r.kept {
		switch n := i + 1; {
		case by == noAuthor:
		case r.holds(n):
			kept = append(kept, fmt.Sprintf("%d (held)", n))
		default:
			kept = append(kept, fmt.Sprint(n))
		}
	}
	return fmt.Sprintf("(newest %d, keeps %s)", r.newest, strings.Join(kept, ", "))
}

func (a author) String() string {
	switch a {
	case noAuthor:
		return "none"
	case before:
		return "the past"
	}
	return fmt.Sprintf("actor %d", a-first+1)
}
