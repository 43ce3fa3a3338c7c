package disk

import (
	"math"
	"testing"
)

// A file system that reports zeros, or more than fits, is not full: a restore to it must not be refused.
func TestFreeBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		blocks, available, size uint64
		want                    int64
		isKnown                 bool
	}{
		{0, 0, 0, 0, false},
		{0, 0, 4096, 0, false},
		{100, 10, 0, 0, false},
		{100, 0, 4096, 0, true},
		{100, 10, 4096, 40960, true},
		{math.MaxUint64, math.MaxUint64, 4096, math.MaxInt64, true},
		{math.MaxUint64, 1 << 52, 4096, math.MaxInt64, true},
	} {
		if got, isKnown := freeBytes(c.blocks, c.available, c.size); got != c.want || isKnown != c.isKnown {
			t.Errorf("%+v: %d, %t", c, got, isKnown)
		}
	}
	if free, isKnown := Free(t.TempDir()); isKnown && free <= 0 {
		t.Errorf("%d bytes are free", free)
	}
	if _, isKnown := Free("/does/not/exist"); isKnown {
		t.Error("a path that does not exist")
	}
}
