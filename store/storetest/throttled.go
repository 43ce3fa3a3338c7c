package storetest

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// Throttled checks that a store that is limited to 1 MiB/s is no faster, in either direction.
func Throttled(t *testing.T, s store.Store) {
	t.Helper()
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<10) // 320 KiB

	start := time.Now()
	if _, err := s.Put(t.Context(), "data/a", bytes.NewReader(content), SumsOf(content)); err != nil {
		t.Fatal(err)
	}
	put := time.Since(start)
	start = time.Now()
	r, err := s.Get(t.Context(), "data/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	// A second's worth is 1 MiB; 64 KiB go through at once.
	for what, took := range map[string]time.Duration{"putting": put, "getting": time.Since(start)} {
		if took < 150*time.Millisecond {
			t.Errorf("%s took %v", what, took)
		}
	}
}
