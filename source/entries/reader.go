package entries

import (
	"encoding/binary"
	"fmt"
)

// The sizes of an entry's frame and of a file header, in bytes.
const (
	frameSize = 14
	vlsnSize  = 8
	headMax   = frameSize + vlsnSize
	holdMax   = 38 // the largest file header, JE's
)

// A Format describes one kind of log file. It is an immutable value.
type Format struct {
	// Sum continues a checksum with more bytes; Seed is the checksum of no bytes.
	Sum  func(sum uint32, b []byte) uint32
	Seed uint32

	MaxItem uint32 // the largest size of an item, in bytes

	// HeaderSize returns the size of a file's header, from the first bytes of the file, at most
	// 38. If more bytes are needed to determine the size, it returns their number, which is
	// greater than len(b).
	HeaderSize func(b []byte) int
	// ReadHeader reads a file header of HeaderSize bytes.
	ReadHeader func(b []byte) (FileHeader, *Problem)

	// Latest has the rules of the newest log version. Resyncs uses them to read a file whose
	// header is damaged. They must also match the entries of older versions.
	Latest FileHeader
}

// A FileHeader is a decoded file header, with the rules of its version for the entries.
type FileHeader struct {
	Version  uint32
	Number   uint32
	Previous uint32 // offset of the last entry in the previous file
	Time     int64  // when the file was started, in ms since 1970

	IsEntry bool // the header counts as an entry
	Type    byte // type of the header, if it counts as an entry

	VLSN      byte // flags; an entry with at least one of them has a VLSN
	Invisible byte // flag to clear before the checksum is computed; 0 if there is none
	Erases    bool // the version has erased entries
	Erased    byte // type of erased entries, if the version has them
}

// A Reader checks the entries of one file. It allocates no memory before the first problem. It
// keeps at most a part of one entry's frame, regardless of the sizes in the file.
//
// It may be copied: the copy continues independently from the same offset. It is not safe for
// concurrent use.
type Reader struct {
	format *Format
	number int64
	header FileHeader
	res    Result

	// The entry, or file header, that was partly read. hold has its first bytes, until its frame
	// is complete.
	start int64
	hold  [holdMax]byte
	held  int
	head  int    // bytes of its frame; 0 if not known yet
	left  uint32 // unread bytes of its item, once the frame is complete
	sum   uint32
	dirty bool // the item has a byte that is not zero
}

// NewReader returns a Reader for the file with a number, which its header must have; AnyNumber
// accepts any.
func NewReader(f *Format, number int64) *Reader {
	return &Reader{format: f, number: number}
}

// Result returns the result of the bytes that were written so far, as if the file ended there: a
// file that does not end with an entry is Cut. More bytes can be written afterwards.
func (r *Reader) Result() Result {
	res := r.res
	if res.Problem == nil && (res.HeaderSize == 0 || r.start < res.Size) {
		res.Problem = r.cut()
	}
	return res
}

func (r *Reader) cut() *Problem {
	want := "a file header"
	switch {
	case r.res.HeaderSize > 0 && r.head > 0:
		want = fmt.Sprintf("an entry of %d bytes", int64(r.head)+int64(binary.LittleEndian.Uint32(r.hold[10:])))
	case r.res.HeaderSize > 0:
		want = "an entry"
	}
	return &Problem{Offset: r.start, Kind: Cut, Want: want, Got: fmt.Sprintf("the end of the file after %d bytes", r.res.Size-r.start)}
}

// Begun returns Begun of the Result, without computing the others.
func (r *Reader) Begun() bool { return r.res.Begun() }

// End returns End of the Result: the offset at which the last whole valid entry ends.
func (r *Reader) End() int64 { return r.res.End }

// Problem returns the first problem so far. It does not report Cut, since more bytes may follow.
func (r *Reader) Problem() *Problem { return r.res.Problem }

// Resume resets the Reader to the end of the last whole valid entry, and returns that offset: that
// of the next byte to write. So the caller can continue with a file that a database was writing
// after the file has grown.
func (r *Reader) Resume() int64 {
	if r.res.HeaderSize == 0 {
		*r = *NewReader(r.format, r.number)
		return 0
	}
	r.res.Size, r.res.Problem = r.res.End, nil
	r.next()
	return r.res.End
}

// next prepares the Reader for the next entry.
func (r *Reader) next() {
	r.start, r.held, r.head, r.left, r.dirty = r.res.Size, 0, 0, 0, false
}

// Write checks the next bytes of the file. It never fails: problems are in the Result.
func (r *Reader) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && r.res.Problem == nil {
		switch {
		case r.res.HeaderSize == 0:
			b = r.readHeader(b)
		case r.held == 0:
			if b = r.readWhole(b); len(b) > 0 {
				b = r.readFrame(b)
			}
		case r.head == 0 || r.held < r.head:
			b = r.readFrame(b)
		default:
			b = r.readItem(b)
		}
	}
	r.res.Size += int64(len(b)) // bytes after a problem are not checked
	return n, nil
}

// take moves bytes of b to hold until it has n of them, and returns the rest of b.
func (r *Reader) take(b []byte, n int) []byte {
	k := copy(r.hold[r.held:n], b)
	r.held += k
	r.res.Size += int64(k)
	return b[k:]
}

func (r *Reader) readHeader(b []byte) []byte {
	size := r.format.HeaderSize(r.hold[:r.held])
	if r.held < size {
		b = r.take(b, size)
		size = r.format.HeaderSize(r.hold[:r.held])
	}
	if r.held < size {
		return b
	}
	h, problem := r.format.ReadHeader(r.hold[:size])
	if problem == nil && r.number != AnyNumber && int64(h.Number) != r.number {
		problem = &Problem{
			Kind: Number, Want: fmt.Sprintf("the header of file %08x", r.number),
			Got: fmt.Sprintf("the header of file %08x", h.Number),
		}
	}
	r.res.Version, r.res.Number, r.res.Previous, r.res.Time = h.Version, h.Number, h.Previous, h.Time
	if r.res.Problem = problem; problem != nil {
		return b
	}
	r.header, r.res.HeaderSize, r.res.End = h, int64(size), int64(size)
	if h.IsEntry {
		r.res.Entries++
		r.res.Types[h.Type]++
	}
	r.next()
	return b
}

// readWhole reads the entries that are completely in b, as nearly all are, and returns the rest of
// b. It stops at invisible, erased and invalid entries, which the slower readFrame and readItem
// read.
func (r *Reader) readWhole(b []byte) []byte {
	h, format, pos, last := &r.header, r.format, r.res.Size, r.res.Last
	for len(b) >= frameSize {
		kind, flags, size := b[4], b[5], binary.LittleEndian.Uint32(b[10:])
		head, vlsns := frameSize, int64(0)
		if flags&h.VLSN != 0 {
			head, vlsns = headMax, 1
		}
		end := uint64(head) + uint64(size)
		if uint64(len(b)) < end || size > format.MaxItem || flags&h.Invisible != 0 || h.Erases && kind == h.Erased ||
			int64(binary.LittleEndian.Uint32(b[6:])) != last || format.Sum(format.Seed, b[4:end]) != binary.LittleEndian.Uint32(b) {
			break
		}
		r.res.Entries++
		r.res.Types[kind]++
		r.res.VLSNs += vlsns
		last = pos
		pos += int64(end)
		b = b[end:]
	}
	if pos > r.res.Size {
		r.res.Size, r.res.Last, r.res.End = pos, last, pos
	}
	r.next()
	return b
}

// readFrame reads the frame of an entry, or the part of it in b, and returns the rest of b.
func (r *Reader) readFrame(b []byte) []byte {
	if r.head == 0 {
		if b = r.take(b, frameSize); r.held < frameSize {
			return b
		}
		if r.res.Problem = r.checkFrame(); r.res.Problem != nil {
			return b
		}
		r.head = frameSize
		if r.hold[5]&r.header.VLSN != 0 {
			r.head = headMax
		}
	}
	if b = r.take(b, r.head); r.held < r.head {
		return b
	}
	flags := r.hold[5]
	r.hold[5] &^= r.header.Invisible // the flag is set later, in place, without a new checksum
	r.sum = r.format.Sum(r.format.Seed, r.hold[4:r.head])
	r.hold[5] = flags
	if r.left = binary.LittleEndian.Uint32(r.hold[10:]); r.left == 0 {
		r.finish()
	}
	return b
}

// checkFrame checks the fields in the first bytes of an entry.
func (r *Reader) checkFrame() *Problem {
	previous, size := binary.LittleEndian.Uint32(r.hold[6:]), binary.LittleEndian.Uint32(r.hold[10:])
	switch {
	case int64(previous) != r.res.Last:
		return &Problem{
			Offset: r.start, Kind: Previous, Want: fmt.Sprintf("the previous entry at byte %d", r.res.Last),
			Got: fmt.Sprintf("%d", previous),
		}
	case size > r.format.MaxItem:
		return &Problem{
			Offset: r.start, Kind: Size, Want: fmt.Sprintf("an item of at most %d bytes", r.format.MaxItem),
			Got: fmt.Sprintf("one of %d", size),
		}
	}
	return nil
}

// readItem reads the item of an entry, or the part of it in b, and returns the rest of b.
func (r *Reader) readItem(b []byte) []byte {
	item := b[:min(uint64(len(b)), uint64(r.left))]
	if r.erased() {
		r.dirty = r.dirty || !zeros(item)
	} else {
		r.sum = r.format.Sum(r.sum, item)
	}
	r.left -= uint32(len(item))
	r.res.Size += int64(len(item))
	if r.left == 0 {
		r.finish()
	}
	return b[len(item):]
}

func (r *Reader) erased() bool { return r.header.Erases && r.hold[4] == r.header.Erased }

// finish checks an entry that was read completely.
func (r *Reader) finish() {
	want := binary.LittleEndian.Uint32(r.hold[:])
	switch erased := r.erased(); {
	case erased && r.dirty:
		r.res.Problem = &Problem{Offset: r.start, Kind: Erased, Want: "zeros in an erased entry", Got: "other bytes"}
		return
	case !erased && r.sum != want:
		r.res.Problem = &Problem{Offset: r.start, Kind: Checksum, Want: fmt.Sprintf("checksum %08x", want), Got: fmt.Sprintf("%08x", r.sum)}
		return
	case erased: // its checksum is still that of the content before
		r.res.Erased++
	}
	flags := r.hold[5]
	if flags&r.header.Invisible != 0 {
		r.res.Invisible++
	}
	if flags&r.header.VLSN != 0 {
		r.res.VLSNs++
	}
	r.res.Entries++
	r.res.Types[r.hold[4]]++
	r.res.Last, r.res.End = r.start, r.res.Size
	r.next()
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
