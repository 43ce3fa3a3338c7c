package s3

import (
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

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
