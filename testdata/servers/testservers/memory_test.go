package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file system in memory may be larger than the free memory, which only meminfo has.
func TestMemory(t *testing.T) {
	t.Setenv("TMPDIR", "")
	const least = 1 << 20
	dir, meminfo := t.TempDir(), filepath.Join(t.TempDir(), "meminfo")
	check := func(in, info, want string) {
		t.Helper()
		if got := memory(in, info, least); got != want {
			t.Errorf("%q, not %q", got, want)
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
	check(filepath.Join(dir, "none"), meminfo, "")
	t.Setenv("TMPDIR", dir)
	check(dir, meminfo, "")
}

func TestNewDirectory(t *testing.T) {
	in, usual := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", usual)
	for memory, want := range map[string]string{in: in, "": usual, filepath.Join(in, "none"): usual} {
		dir, err := newDirectory(memory)
		if err != nil || !strings.HasPrefix(dir, want+"/strongroom-servers-") {
			t.Errorf("in %q: %q, %v", memory, dir, err)
		}
	}
}
