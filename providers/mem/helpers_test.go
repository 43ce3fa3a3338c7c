package mem

import (
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// open opens a URL for a test.
func open(t *testing.T, url string, o cloud.Options) cloud.Bucket {
	t.Helper()
	b, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}
