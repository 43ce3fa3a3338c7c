// Package entries checks log files of the Berkeley DB JE family entry by entry, while their bytes
// are read. It has the code that the packages je and noxu share; these define the two kinds of
// files.
//
// A Reader is an [io.Writer]. It gets the bytes of one file, in order and in pieces of any size,
// together with the hashes that read them too. Then it returns the result:
//
//	r := je.NewReader(7) // for 00000007.jdb
//	io.Copy(io.MultiWriter(hash, r), file)
//	if res := r.Result(); res.Problem != nil {
//		… // the file is damaged, from res.Problem.Offset on
//	}
//
// # Entries
//
// A log file is a file header and then entries end to end, without padding. A closed file ends
// exactly at the end of an entry. All numbers are little-endian:
//
//	 0  u32  checksum of bytes 4 to the end of the item
//	 4  u8   type
//	 5  u8   flags
//	 6  u32  offset of the previous entry in this file, 0 for the first after the header
//	10  u32  size of the item
//	14  i64  VLSN, if the flags have it
//	    …    the item
//
// A file that a database is writing may end with any bytes: half an entry, zeros, garbage. If
// valid entries follow those bytes, they are damage and not the end: see [Reader.Resyncs].
//
// No entry shows that whole entries are missing at the end of the file. The header of the next
// file does, since it has the offset of the last entry of this one: see [Chain].
package entries

import "fmt"

// AnyNumber is the number of a file whose name has none; a Reader then accepts any number.
const AnyNumber int64 = -1

// A Result is the result of reading a file. All fields except Size and Problem describe the part
// before the first problem.
type Result struct {
	Size       int64  // bytes read
	Version    uint32 // of the log format, from the file header; 0 before the header was read
	Number     uint32 // of the file, from its header
	Previous   uint32 // from the header: offset of the last entry in the previous file
	Time       int64  // from the header: when the file was started, in ms since 1970
	HeaderSize int64  // bytes of the file header; 0 before the header was read

	// Entries is the number of whole valid entries. JE's file header counts as an entry, as in
	// JE's own tools; Noxu's does not.
	Entries   int64
	Types     [256]int64 // number of entries, by type
	Invisible int64      // entries that a replica has rolled back, in place
	Erased    int64      // entries whose item JE has erased, in place
	VLSNs     int64      // entries with a VLSN

	Last int64 // offset of the last whole valid entry; 0 if there is only the header
	End  int64 // offset of its end; the end of the header without an entry; 0 without a header

	Problem *Problem // the first problem; nil if the file has none
}

// Begun reports whether the file has a valid entry after its header. Only then the database no
// longer appends to the previous file.
func (r *Result) Begun() bool { return r.HeaderSize > 0 && r.End > r.HeaderSize }

// A Kind is the kind of a problem.
type Kind string

// The kinds of problems.
const (
	Header   Kind = "header"   // the file does not begin with a file header
	Version  Kind = "version"  // the header is valid, but has an unknown log version: the entries were not checked
	Number   Kind = "number"   // the header has another number than the file name
	Checksum Kind = "checksum" // the checksum does not match the bytes
	Previous Kind = "previous" // the entry does not follow the previous one
	Size     Kind = "size"     // the item is larger than the maximum
	Erased   Kind = "erased"   // an erased entry is not all zeros
	Cut      Kind = "cut"      // the file ends within an entry, or within its header
	Missing  Kind = "missing"  // the next file has another offset for the last entry
)

// A Problem is a problem of a file, with its offset. It is an error.
type Problem struct {
	Offset int64 // of the entry with the problem; 0 for the file header
	Kind   Kind

	// Want and Got describe, for people, the expected and the actual value. A checksum in the
	// file is the expected value; the one computed from the bytes is the actual one.
	Want, Got string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s at byte %d: %s expected, %s found", p.Kind, p.Offset, p.Want, p.Got)
}

// Damaged reports whether the problem means damage. It is false for nil and for an unknown log
// version.
func (p *Problem) Damaged() bool { return p != nil && p.Kind != Version }

// Chain compares a file with its successor, whose header has the offset of the last entry in file.
// It reports if whole entries are missing at the end of file, or if file has more entries. It
// returns nil if the two match. It also returns nil if they cannot be compared: their numbers are
// not consecutive, for instance since a cleaner has deleted a file between them, or one of them
// has a problem in the part that is compared.
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
