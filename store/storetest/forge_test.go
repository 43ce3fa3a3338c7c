package storetest_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Tests that plant forged objects rely on it that size and CRC-32C do not show them.
func TestForge(t *testing.T) {
	t.Parallel()
	for size := range 3000 {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(rand.Uint32())
		}
		forged := storetest.Forge(content)
		is, was := storetest.SumsOf(forged), storetest.SumsOf(content)
		if is.Size != was.Size || size >= 8 && is.CRC32C != was.CRC32C || size > 0 && bytes.Equal(forged, content) {
			t.Fatalf("%d bytes: %+v became %+v", size, was, is)
		}
	}
}
