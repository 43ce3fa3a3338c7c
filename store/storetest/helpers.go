package storetest

import (
	"bytes"
	"io"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
)

// Opened returns what an open function returned. It fails the test on err, and closes the bucket at the test's end.
func Opened[B io.Closer](t *testing.T, b B, err error) B {
	t.Helper()
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

// PutBytes stores content under a key with its true sums.
func PutBytes(t *testing.T, s store.Store, key string, content []byte) (store.PutResult, error) {
	t.Helper()
	return s.Put(t.Context(), key, bytes.NewReader(content), SumsOf(content))
}
