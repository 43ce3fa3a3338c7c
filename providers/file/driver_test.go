package file

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
)

// gocloud's conformance suite. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := &tree{root: dir}
	t.Cleanup(func() {
		if err := in.letGo(); err != nil {
			t.Error(err)
		}
	})
	drivertest.Run(t, func(*testing.T) drivertest.Subject {
		return drivertest.Subject{
			Driver: newDriver(in), Missing: newDriver(&tree{root: filepath.Join(dir, "missing")}), KeepsOddKeys: true,
			Put: func(_ context.Context, key string, content []byte) error {
				name := filepath.Join(dir, pathOf(key))
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					return err
				}
				return os.WriteFile(name, content, 0o600)
			},
			Delete: func(_ context.Context, key string) error {
				return in.in(false, func(root *disk.Root) error { return removeObject(root, key) })
			},
		}
	})
}
