// Package entries checks log files of the Berkeley DB JE family entry by entry, as their
// bytes stream past. The packages je and noxu know the two kinds of files that there
// are; this one has what they share.
//
// A Reader is an [io.Writer]: it is fed the bytes of one file, in order and in pieces of
// any size, beside the hashes that read them anyway, and says afterwards what it saw:
//
//	r := je.NewReader(7) // for 00000007.jdb
//	io.Copy(io.MultiWriter(hash, r), file)
//	if res := r.Result(); res.Problem != nil {
//		… // the file is damaged, from res.Problem.Offset on
//	}
//
// # Entries
//
// After its file header a log file is entries end to end, without padding, and a closed
// file ends exactly where an entry does. All numbers are little-endian:
//
//	 0  u32  checksum of bytes 4 to the end of the item
//	 4  u8   type
//	 5  u8   flags
//	 6  u32  offset of the previous entry in this file, 0 for the first after the header
//	10  u32  size of the item
//	14  i64  VLSN, where the flags say so
//	    …    the item
//
// A file that a database is writing may end with anything: half an entry, zeros, garbage.
// Where valid entries lie behind that, it is no end but damage: see [Reader.Resyncs].
//
// What no entry can tell is that whole entries are missing at the end. The header of the
// next file can, since it names the last entry of this one: see [Chain].
package entries

import "fmt"

// AnyNumber stands for the number of a file whose name tells none.
const AnyNumber int64 = -1

// A Result is what a Reader saw. Everything but Size and Problem is about what comes
// before the first problem.
type Result struct {
	Size       int64  // bytes read
	Version    uint32 // of the log format, by the file header; 0 while there was none
	Number     uint32 // of the file, by its header
	Previous   uint32 // by the header: offset of the last entry in the file before this one
	Time       int64  // by the header: when the file was begun, in ms since 1970
	HeaderSize int64  // bytes of the file header; 0 while there was none

	// Entries is the number of whole valid entries. JE's file header is one, as JE's own
	// tools count, and Noxu's is not.
	Entries   int64
	Types     [256]int64 // the same, by type
	Invisible int64      // those that a replica has rolled back, in place
	Erased    int64      // those whose item JE has erased, in place
	VLSNs     int64      // those with a VLSN

	Last int64 // where the last whole valid entry begins; 0 when there is none but the header
	End  int64 // where it ends; the end of the header when there is none, and 0 without one

	Problem *Problem // the first; nil for a file that is whole
}

// Begun reports whether the file holds a valid entry after its header. Only then does
// the database no longer append to the file before it.
func (r *Result) Begun() bool { return r.HeaderSize > 0 && r.End > r.HeaderSize }

// A Kind sorts problems.
type Kind string

// The kinds of problems.
const (
	Header   Kind = "header"   // the file does not begin with a file header
	Version  Kind = "version"  // the header is good, but of a log version not known here: nothing is said about the file
	Number   Kind = "number"   // the header is another file's than the name says
	Checksum Kind = "checksum" // the checksum does not fit the bytes
	Previous Kind = "previous" // the entry does not follow the one before it
	Size     Kind = "size"     // the item is larger than an item can be
	Erased   Kind = "erased"   // an erased entry still holds something
	Cut      Kind = "cut"      // the file ends within an entry, or within its header
	Missing  Kind = "missing"  // the next file says that the last entry lies elsewhere
)

// A Problem says what is wrong with a file, and where. It is an error.
type Problem struct {
	Offset int64 // of the entry that is wrong; 0 is the file header
	Kind   Kind

	// Want and Got are what was expected and what was found, for people. What is
	// computed from the bytes is found, what they promise is expected.
	Want, Got string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s at byte %d: %s expected, %s found", p.Kind, p.Offset, p.Want, p.Got)
}

// Damaged reports whether the problem means damage. A log version that is not known
// does not. It is false for nil.
func (p *Problem) Damaged() bool { return p != nil && p.Kind != Version }

// Chain compares a file with its successor, whose header holds the offset of the last
// entry before it. It finds that whole entries are missing at the end of file, or that
// there are more than there were. It returns nil when they fit, and when nothing can be
// said: the two are not neighbours by number, as where a cleaner has deleted a file
// between them, or one of them has a problem of its own that keeps its side from being
// known.
func Chain(file, next *Result) *Problem {
	neighbours := file.HeaderSize > 0 && next.HeaderSize > 0 && int64(file.Number)+1 == int64(next.Number)
	if file.Problem != nil || !neighbours || file.Last == int64(next.Previous) {
		return nil
	}
	return &Problem{
		Offset: file.Last,
		Kind:   Missing,
		Want:   fmt.Sprintf("the last entry at byte %d, by the header of file %08x,", next.Previous, next.Number),
		Got:    fmt.Sprintf("it at byte %d", file.Last),
	}
}
