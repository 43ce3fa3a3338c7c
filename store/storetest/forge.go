package storetest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/internal/digest"
)

// Forge returns bytes that differ from content and have the same size and CRC-32C. It simulates an attacker, who
// cannot forge a SHA-256. For content of less than eight bytes, only the size is the same.
func Forge(content []byte) []byte {
	forged := bytes.Clone(content)
	if len(forged) < 8 {
		for i := range forged {
			forged[i] ^= 0xff
		}
		return forged
	}
	forged[0] ^= 0xff
	head := forged[:len(forged)-4]
	var above [256]byte // the table's index by the highest byte of its entry
	for i, entry := range digest.Castagnoli {
		above[entry>>24] = byte(i)
	}
	register := ^crc32.Checksum(content, digest.Castagnoli)
	for range 4 { // computes the register's value four bytes earlier
		i := above[register>>24]
		register = (register^digest.Castagnoli[i])<<8 | uint32(i)
	}
	binary.LittleEndian.PutUint32(forged[len(head):], register^^crc32.Checksum(head, digest.Castagnoli))
	return forged
}
