package je

import "encoding/binary"

const (
	adlerMod = 65521

	// adlerBlock is how many bytes are summed in 16-bit lanes: the largest number for which
	// neither a lane nor the sum of four lanes overflows.
	adlerBlock = 11 * 8
	// adlerMost is how many bytes are summed before the modulo operation.
	adlerMost = adlerBlock << 13
)

// adler32Sum continues an Adler-32 checksum; 1 is the checksum of no bytes. It returns the same as
// hash/adler32 but is faster: it processes eight bytes at a time, in two words of four lanes.
func adler32Sum(sum uint32, b []byte) uint32 {
	s1, s2 := uint64(sum&0xffff), uint64(sum>>16)
	for len(b) > adlerMost {
		s1, s2 = adlerAdd(s1, s2, b[:adlerMost])
		s1, s2 = s1%adlerMod, s2%adlerMod
		b = b[adlerMost:]
	}
	s1, s2 = adlerAdd(s1, s2, b)
	return uint32(s2%adlerMod)<<16 | uint32(s1%adlerMod)
}

// adlerAdd adds bytes to the two sums, without the modulo operation. In a block of n bytes, byte i
// is added n-i times to the second sum: eight times for each later word of eight bytes, and 8 to 1
// times for its place in its own word.
func adlerAdd(s1, s2 uint64, b []byte) (uint64, uint64) {
	const (
		lanes = 0x00ff00ff00ff00ff
		// The product of a word and one of these has in its highest lane the weighted sum of the
		// word's four lanes. The weights are 1 for each lane, or the numbers for the places of the
		// bytes: 8, 6, 4, 2 for bytes 0, 2, 4, 6, and 7, 5, 3, 1 for the others.
		ones  = 0x0001000100010001
		evens = 0x0008000600040002
		odds  = 0x0007000500030001
	)
	for len(b) >= 8 {
		block := b[:min(len(b)&^7, adlerBlock)]
		n := uint64(len(block))
		var even, odd, evenBefore, oddBefore uint64
		for ; len(block) >= 8; block = block[8:] {
			w := binary.LittleEndian.Uint64(block)
			evenBefore += even
			oddBefore += odd
			even += w & lanes
			odd += w >> 8 & lanes
		}
		s2 += n*s1 + 8*(evenBefore*ones>>48+oddBefore*ones>>48) + even*evens>>48 + odd*odds>>48
		s1 += (even + odd) * ones >> 48
		b = b[n:]
	}
	for _, c := range b {
		s1 += uint64(c)
		s2 += s1
	}
	return s1, s2
}
