package cloud

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
		if got, want := JoinCRC(sum(a), sum(b), int64(len(b))), sum(append(a, b...)); got != want {
			t.Fatalf("joined: %s, want %s", got, want)
		}
	})
}
