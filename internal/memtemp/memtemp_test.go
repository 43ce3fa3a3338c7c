package memtemp

import (
	"os"
	"path/filepath"
	"testing"
)

// TMPDIR is in memory only where both the file system and the memory have room.
func TestUse(t *testing.T) {
	const least = 1 << 20
	dir, meminfo := t.TempDir(), filepath.Join(t.TempDir(), "meminfo")
	check := func(in, info, want string) {
		t.Helper()
		t.Setenv("TMPDIR", "")
		use(in, info, least)
		if got := os.Getenv("TMPDIR"); got != want {
			t.Errorf("TMPDIR is %q, not %q", got, want)
		}
	}
	check(dir, meminfo, "") // the free memory is unknown
	for kib, want := range map[string]string{"1023": "", "1024": dir} {
		text := "MemTotal:       99999999 kB\nMemAvailable:   " + kib + " kB\nSwapFree: 99999999 kB\n"
		if err := os.WriteFile(meminfo, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check(dir, meminfo, want)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
	t.Setenv("TMPDIR", "/elsewhere")
	if use(dir, meminfo, least); os.Getenv("TMPDIR") != "/elsewhere" {
		t.Errorf("TMPDIR is %q", os.Getenv("TMPDIR"))
	}
}
