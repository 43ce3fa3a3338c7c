package cloud

import (
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/manifest"
)

// JoinCRC returns the CRC-32C of two contents, one after the other. a and b are their checksums; length is
// the length of the second one in bytes. Appending a byte is a linear map on the 32 bits of the checksum.
// So appending n bytes is the nth power of that map, computed by squaring, as in zlib's crc32_combine.
func JoinCRC(a, b manifest.CRC32C, length int64) manifest.CRC32C {
	var power gf2
	power[0] = crc32.Castagnoli // one zero bit: shift right, and reduce when a bit falls out
	for i := 1; i < 32; i++ {
		power[i] = 1 << (i - 1)
	}
	for range 3 { // 1, 2, 4, 8 bits
		power = power.squared()
	}
	crc := uint32(a)
	for n := length; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = power.times(crc)
		}
		power = power.squared()
	}
	return manifest.CRC32C(crc) ^ b
}

// gf2 is a 32 by 32 matrix of bits: entry i is the image of bit i.
type gf2 [32]uint32

func (m *gf2) times(v uint32) (out uint32) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			out ^= m[i]
		}
	}
	return out
}

func (m *gf2) squared() (out gf2) {
	for i := range m {
		out[i] = m.times(m[i])
	}
	return out
}
