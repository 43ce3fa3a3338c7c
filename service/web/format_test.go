package web

import "testing"

// A size is never printed as 1024 of a unit.
func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1<<10: "1023.0 KiB", 1<<20 - 1: "1.0 MiB", 1<<30 - 1: "1.0 GiB", 1 << 62: "4.0 EiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %s, not %s", n, got, want)
		}
	}
}
