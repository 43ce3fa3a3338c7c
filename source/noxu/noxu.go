// Package noxu checks log files of Noxu, [0-9a-f]{8}.ndb, entry by entry. Package entries
// describes the entries and the use of a Reader.
//
// The file header is no entry. It is big-endian:
//
//	 0  "NOXUDB\0\0"
//	 8  u32  version, 2 or 3
//	12  u8   byte order, 0
//	13       three zero bytes
//	16  u64  time in milliseconds
//	24  u32  file number
//	28  u32  offset of the last entry in the previous file
//	32  u32  CRC-32 (IEEE) of bytes 0 to 31; from version 3 on
//
// So in version 2 a wrong time cannot be detected. A wrong offset can be detected only by a
// comparison with the previous file, and a wrong number only by the file name.
//
// The checksum of an entry is CRC-32 (IEEE) with the flag 0x10, invisible, cleared: the flag is
// set in place, and a flipped one cannot be detected. An item has at most 100 MiB.
//
// Noxu does not preallocate its files. Valid entries after an invalid one mean damage: see
// entries.Reader.Resyncs.
package noxu

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/source/entries"
)

const (
	magic = "NOXUDB\x00\x00"

	plainSize = 32 // bytes of a header without checksum, in version 2
	fullSize  = 36 // bytes of a header with checksum

	maxItem = 100 << 20

	flagVLSN       = 0x08
	flagInvisible  = 0x10
	flagReplicated = 0x20
)

// NewReader returns a Reader for the log file with a number, which is that of its name;
// entries.AnyNumber accepts any.
func NewReader(number int64) *entries.Reader { return entries.NewReader(&format, number) }

var format = entries.Format{
	Sum:        func(sum uint32, b []byte) uint32 { return crc32.Update(sum, crc32.IEEETable, b) },
	MaxItem:    maxItem,
	HeaderSize: headerSize,
	ReadHeader: readHeader,
	Latest:     entries.FileHeader{VLSN: flagReplicated | flagVLSN, Invisible: flagInvisible},
}

// headerSize returns the header size of the version. An unknown version is assumed to have the
// header of version 3, so that a damaged header is not mistaken for one of a later version.
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
		return wrong(entries.Version, "log version 2 or 3",
			"log version %d, which this program does not support (a later one may)", v)
	}
	if order := b[12:16]; u32(order) != 0 {
		return wrong(entries.Header, "byte order 0 and three zero bytes", "% x", order)
	}
	return entries.FileHeader{
		Version: v, Number: u32(b[24:]), Previous: u32(b[28:]), Time: int64(binary.BigEndian.Uint64(b[16:])),
		VLSN: flagReplicated | flagVLSN, Invisible: flagInvisible,
	}, nil
}
