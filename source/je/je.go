// Package je checks log files of Berkeley DB Java Edition, [0-9a-f]{8}.jdb, entry by entry.
// Package entries describes the entries and the use of a Reader.
//
// The file header is the first entry. It has the frame of all entries and an item of 24 bytes; 38
// bytes in all, little-endian:
//
//	 4  u8   type, 25
//	10  u32  size of the item, 24
//	14  i64  time in milliseconds
//	22  u32  file number
//	26  i64  offset of the last entry in the previous file
//	34  u32  log version
//
// The checksum is Adler-32. The frame is the same in every log version from 6 (JE 3.3)
// to 26 (JE 25.2 and later); 7 is JE 4.0, 8 is 5.0, 9 to 11 are 6.x, 12 to 15 are 7.x.
// The flags 0x20, replicated, and 0x08 mean that the entry has a VLSN; up to version 7 the low
// four bits are the version instead. The flags of the file header have no meaning.
//
// JE changes entries in two ways in place, in closed files too. Neither is damage:
//
//   - From version 7 on, a replica sets the flag 0x10, invisible, on entries that it rolls back.
//     The checksum is that of the entry without the flag.
//   - From version 17 on, the eraser sets the type to 43 and fills the item with zeros. The
//     checksum does not change, and so is no longer valid.
//
// So a flipped invisible flag cannot be detected, nor a flipped bit in the checksum, the flags or
// the VLSN of an erased entry.
//
// JE does not preallocate its files. When it starts, it truncates the newest file after the last
// whole valid entry, and continues there. Until then any bytes may follow. After a power loss
// these may include valid entries: entries.Reader.Resyncs reports those as damage.
package je

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/strongroom-dev/strongroom/source/entries"
)

// The supported log versions.
const (
	oldest = 6
	newest = 26
)

const (
	headerSize = 38
	headerItem = 24
	headerType = 25

	erasedType  = 43
	erasedSince = 17

	flagVLSN       = 0x08
	flagInvisible  = 0x10
	flagReplicated = 0x20
)

// NewReader returns a Reader for the log file with a number, which is that of its name;
// entries.AnyNumber accepts any.
func NewReader(number int64) *entries.Reader { return entries.NewReader(&format, number) }

var format = entries.Format{
	Sum:        adler32Sum,
	Seed:       1,
	MaxItem:    math.MaxInt32, // the size is a Java int
	HeaderSize: func([]byte) int { return headerSize },
	ReadHeader: readHeader,
	Latest:     rules(newest),
}

func readHeader(b []byte) (entries.FileHeader, *entries.Problem) {
	wrong := func(kind entries.Kind, want, got string, a ...any) (entries.FileHeader, *entries.Problem) {
		return entries.FileHeader{}, &entries.Problem{Kind: kind, Want: want, Got: fmt.Sprintf(got, a...)}
	}
	u32 := binary.LittleEndian.Uint32
	if kind, size, previous := b[4], u32(b[10:]), u32(b[6:]); kind != headerType || size != headerItem || previous != 0 {
		return wrong(entries.Header, "a file header, an entry of type 25 with 24 bytes and none before it,",
			"type %d with %d bytes and one at byte %d", kind, size, previous)
	}
	if want, sum := u32(b), adler32Sum(1, b[4:]); sum != want {
		return wrong(entries.Checksum, fmt.Sprintf("checksum %08x", want), "%08x", sum)
	}
	last := binary.LittleEndian.Uint64(b[26:])
	if last > math.MaxUint32 {
		return wrong(entries.Header, "the offset of an entry in the previous file", "%d", last)
	}
	v := u32(b[34:])
	if v < oldest || v > newest {
		return wrong(entries.Version, fmt.Sprintf("a log version from %d to %d", oldest, newest),
			"log version %d, which this program does not support (a later one may)", v)
	}
	h := rules(v)
	h.Number, h.Previous, h.Time = u32(b[22:]), uint32(last), int64(binary.LittleEndian.Uint64(b[14:]))
	return h, nil
}

// rules returns the file header of a log version, without the fields that differ between files.
func rules(version uint32) entries.FileHeader {
	h := entries.FileHeader{
		Version: version, IsEntry: true, Type: headerType,
		VLSN: flagReplicated | flagVLSN, Invisible: flagInvisible,
		Erases: version >= erasedSince, Erased: erasedType,
	}
	if version <= 7 {
		h.VLSN = flagReplicated // the low bits are the version, where flagVLSN is never set
	}
	if version < 7 {
		h.Invisible = 0
	}
	return h
}
