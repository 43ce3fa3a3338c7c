package je

import (
	"bytes"
	"hash/adler32"
	"math/rand/v2"
	"testing"
)

// Our Adler-32 is that of the standard library, whatever the bytes and however they are cut, the
// largest bytes above all: those could overflow.
func TestAdler32(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 2*adlerMost+100)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	for _, b := range [][]byte{b, bytes.Repeat([]byte{0xff}, len(b))} {
		sizes := []int{adlerMost - 1, adlerMost, adlerMost + 1, len(b)}
		for n := range 4 * adlerBlock {
			sizes = append(sizes, n)
		}
		for _, n := range sizes {
			want := adler32.Checksum(b[:n])
			if got := adler32From(b[:n], n); got != want {
				t.Fatalf("%d bytes: %08x, want %08x", n, got, want)
			}
			if got := adler32From(b[:n], random.IntN(n+1)); got != want {
				t.Fatalf("%d bytes in two pieces: %08x, want %08x", n, got, want)
			}
		}
	}
}

// adler32From sums in two steps.
func adler32From(b []byte, split int) uint32 { return adler32Sum(adler32Sum(1, b[:split]), b[split:]) }
