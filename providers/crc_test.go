package providers

import (
	"hash/crc32"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
)

func TestJoinCRC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		sum := func(b []byte) manifest.CRC32C { return manifest.CRC32C(crc32.Checksum(b, digest.Castagnoli)) }
		if got, want := joinCRC(sum(a), sum(b), int64(len(b))), sum(append(a, b...)); got != want {
			t.Fatalf("joined: %s, want %s", got, want)
		}
	})
}

func TestPartSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int64{
		1:                    8 << 20,
		16<<20 + 1:           8 << 20,
		9000 * 8 << 20:       8 << 20,
		9000*8<<20 + 1:       9 << 20,
		manifest.MaxFileSize: 583 << 20,
	} {
		got := partSize(size)
		if got != want || (size+got-1)/got > 10_000 || got > 5<<30 {
			t.Errorf("parts of %d bytes for %d, want %d", got, size, want)
		}
	}
}
