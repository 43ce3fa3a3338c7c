// Package noxu checks log files of Noxu, [0-9a-f]{8}.ndb, entry by entry. Package entries
// says what an entry is, and how a Reader is used.
//
// The file header is no entry, and big-endian:
//
//	 0  "NOXUDB\0\0"
//	 8  u32  version, 2 or 3
//	12  u8   byte order, 0
//	13       three zero bytes
//	16  u64  time in milliseconds
//	24  u32  file number
//	28  u32  offset of the last entry in the file before this one
//	32  u32  CRC-32 (IEEE) of bytes 0 to 31; from version 3 on
//
// So in version 2 a wrong time does not show, a wrong offset shows by the chain alone,
// and a wrong number by the name.
//
// The checksum of an entry is CRC-32 (IEEE), with the flag 0x10, invisible, cleared: it is
// set in place, and of one that flips nothing can be known. An item has at most 100 MiB.
//
// Noxu does not preallocate its files. Valid entries behind what is not valid are
// damage: see entries.Reader.GoesOn.
package noxu

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/source/entries"
)

const (
	magic = "NOXUDB\x00\x00"

	plainSize = 32 // of a header without checksum, in version 2
	fullSize  = 36 // and with it

	maxItem = 100 << 20

	flagVLSN       = 0x08
	flagInvisible  = 0x10
	flagReplicated = 0x20
)

// NewReader returns a Reader for the log file with a number, that of its name;
// entries.AnyNumber takes any.
func NewReader(number int64) *entries.Reader { return entries.NewReader(&format, number) }

var format = entries.Format{
	Sum:        func(sum uint32, b []byte) uint32 { return crc32.Update(sum, crc32.IEEETable, b) },
	MaxItem:    maxItem,
	HeaderSize: headerSize,
	ReadHeader: readHeader,
	Latest:     entries.FileHeader{VLSN: flagReplicated | flagVLSN, Invisible: flagInvisible},
}

// headerSize goes by the version: what has an unknown one is taken to end as version 3
// does, so that a damaged header is not mistaken for a later one.
func headerSize(b []byte) int {
	const versionEnd = 12
	switch {
	case len(b) < versionEnd:
		return versionEnd
	case binary.BigEndian.Uint32(b[8:]) == 2:
		return plainSize
	}
	return fullSize
}

func readHeader(b []byte) (entries.FileHeader, *entries.Problem) {
	wrong := func(kind entries.Kind, want, got string, a ...any) (entries.FileHeader, *entries.Problem) {
		return entries.FileHeader{}, &entries.Problem{Kind: kind, Want: want, Got: fmt.Sprintf(got, a...)}
	}
	u32 := binary.BigEndian.Uint32
	if string(b[:8]) != magic {
		return wrong(entries.Header, fmt.Sprintf("a file header, which begins with %q,", magic), "%q", b[:8])
	}
	if len(b) == fullSize {
		if want, sum := u32(b[32:]), crc32.ChecksumIEEE(b[:32]); sum != want {
			return wrong(entries.Checksum, fmt.Sprintf("checksum %08x", want), "%08x", sum)
		}
	}
	v := u32(b[8:])
	if v != 2 && v != 3 {
		return wrong(entries.Version, "log version 2 or 3", "log version %d, which this program does not know (a later one may)", v)
	}
	if order := b[12:16]; u32(order) != 0 {
		return wrong(entries.Header, "byte order 0 and three zero bytes", "% x", order)
	}
	return entries.FileHeader{
		Version: v, Number: u32(b[24:]), Previous: u32(b[28:]), Time: int64(binary.BigEndian.Uint64(b[16:])),
		VLSN: flagReplicated | flagVLSN, Invisible: flagInvisible,
	}, nil
}
