package restorer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A canceled preview has no result: a caller would show a restore that reads nothing and thaws nothing.
func TestCanceledPreviewHasNoResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	files := []manifest.File{{Name: "a", Size: 1, Parts: []manifest.Part{{Object: "data/a/1", Size: 1, Stored: manifest.StoredSums{Size: 1}}}}}
	if err := preview(ctx, repo.New(storetest.Memory(t), objects.Options{}), files, nil, &values.RestoreResult{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// A restore whose target cannot be made has no free space to report: that of the disk above would show that all fits.
func TestFreeSpaceOfAnImpossibleTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := freeAt(filepath.Join(file, "x", "target")); n != -1 {
		t.Errorf("below a file, %d bytes are free", n)
	}
	if n := freeAt(filepath.Join(dir, "x", "target")); n < 0 {
		t.Errorf("in a directory to be made, %d bytes are free", n)
	}
}
