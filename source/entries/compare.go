package entries

import (
	"bytes"
	"encoding/binary"
)

// A Comparer compares two versions of one log file from their beginnings, entry by entry. An entry is the same in both
// if it differs only in what the database changes in place: the flag of an invisible entry, and the type and the item
// of an erased one. Either version may be the earlier one, since a power loss can undo a change.
//
// The first version must be a valid log. The second may hold any bytes. A Comparer allocates no memory, and keeps at
// most a part of one entry's frame. It may be copied: the copy continues independently from the same offset. It is not
// safe for concurrent use.
type Comparer struct {
	format  *Format
	header  FileHeader
	end     int64
	differs bool

	// The entry, or file header, that was partly read, in both versions.
	one, other [holdMax]byte
	held       int
	head       int    // bytes of its frame; 0 if not known yet
	left       uint32 // unread bytes of its item, once the frame is complete
	erased     bool   // one of the versions is erased
}

// Comparer returns a Comparer for files of the kind that the Reader checks.
func (r *Reader) Comparer() *Comparer { return &Comparer{format: r.format} }

// End returns the offset up to which both versions have the same whole entries; 0 if their headers differ.
func (c *Comparer) End() int64 { return c.end }

// Differs reports whether an entry differs, so that End is final.
func (c *Comparer) Differs() bool { return c.differs }

// Compare compares the next bytes of both versions. It reads as many bytes of the second version as the first has
// there, so other must be at least as long as one. It ignores everything after the first difference.
func (c *Comparer) Compare(one, other []byte) {
	for len(one) > 0 && !c.differs {
		var n int
		switch {
		case c.end == 0:
			n = c.compareHeader(one, other)
		case c.head == 0 || c.held < c.head:
			n = c.compareFrame(one, other)
		default:
			n = c.compareItem(one, other)
		}
		one, other = one[n:], other[n:]
	}
}

// take moves bytes of both versions to one and other until each has n of them, and returns how many it moved.
func (c *Comparer) take(one, other []byte, n int) int {
	k := copy(c.one[c.held:n], one)
	copy(c.other[c.held:n], other[:k])
	c.held += k
	return k
}

func (c *Comparer) compareHeader(one, other []byte) int {
	k := c.take(one, other, c.format.HeaderSize(c.one[:c.held]))
	size := c.format.HeaderSize(c.one[:c.held])
	if c.held < size {
		return k
	}
	h, problem := c.format.ReadHeader(c.one[:size])
	if problem != nil || !bytes.Equal(c.one[:size], c.other[:size]) {
		c.differs = true
		return k
	}
	c.header, c.end, c.held = h, int64(size), 0
	return k
}

func (c *Comparer) compareFrame(one, other []byte) int {
	k := c.take(one, other, max(c.head, frameSize))
	if c.held < frameSize {
		return k
	}
	if c.head = frameSize; c.one[flagsAt]&c.header.VLSN != 0 {
		c.head = headMax
	}
	if c.held < c.head {
		return k
	}
	if c.differs = !c.isSameFrame(); c.differs {
		return k
	}
	if c.left = binary.LittleEndian.Uint32(c.one[sizeAt:]); c.left == 0 {
		c.finish()
	}
	return k
}

// isSameFrame compares the frames of one entry. The eraser leaves the checksum of the erased item.
func (c *Comparer) isSameFrame() bool {
	h, a, b := &c.header, c.one[:c.head], c.other[:c.head]
	c.erased = h.Erases && (a[typeAt] == h.Erased || b[typeAt] == h.Erased)
	return bytes.Equal(a[:typeAt], b[:typeAt]) && (c.erased || a[typeAt] == b[typeAt]) &&
		a[flagsAt]&^h.Invisible == b[flagsAt]&^h.Invisible && bytes.Equal(a[previousAt:], b[previousAt:])
}

func (c *Comparer) compareItem(one, other []byte) int {
	n := int(min(uint64(len(one)), uint64(c.left)))
	if !c.erased && !bytes.Equal(one[:n], other[:n]) {
		c.differs = true
		return n
	}
	if c.left -= uint32(n); c.left == 0 {
		c.finish()
	}
	return n
}

// finish ends an entry that is the same in both versions.
func (c *Comparer) finish() {
	c.end += int64(c.head) + int64(binary.LittleEndian.Uint32(c.one[sizeAt:]))
	c.held, c.head = 0, 0
}
