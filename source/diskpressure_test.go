package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/testmount"
)

// Deleted files that a capture holds are no matter where there is room, and are given
// back where there is none.
func TestCrowded(t *testing.T) {
	t.Parallel()
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	unmount, err := testmount.Tmpfs(small, "size=1m")
	if err != nil {
		t.Skipf("mounting a small file system needs root and Linux: %v", err)
	}
	defer unmount()
	large := "/dev/shm"
	if _, err := os.Stat(large); err != nil {
		large = ""
	}
	large, err = os.MkdirTemp(large, "crowded-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(large)
	for dir, want := range map[string]error{small: ErrDiskPressure, large: nil} {
		for _, name := range []string{"00000000.jdb", "00000001.jdb"} {
			if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 10_000), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		layout, err := NewLayout(opaqueJE)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir, layout)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Capture(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckDiskPressure(); err != nil {
			t.Errorf("nothing was deleted: %v", err)
		}
		if err := os.Remove(filepath.Join(dir, "00000000.jdb")); err != nil {
			t.Fatal(err)
		}
		if err := c.CheckDiskPressure(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dir, err, want)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.CheckDiskPressure(); err != nil {
			t.Errorf("after it was closed: %v", err)
		}
	}
}
