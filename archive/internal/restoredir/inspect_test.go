package restoredir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A restore of one file reads the entries of a few pages if its target is empty. A file that appears after that may be
// the snapshot's, so that it must not count as one that the snapshot does not have, and be deleted.
func TestFileThatAppearsInAnEmptyTargetIsNotJudged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "00000002.jdb"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &manifest.Manifest{
		Summary: manifest.Summary{Layout: "je", Counts: manifest.Counts{Files: 2}},
		Pages:   []manifest.PageRef{{First: "00000001.jdb", Last: "00000002.jdb"}},
		Files:   []manifest.File{{Name: "00000001.jdb"}},
	}
	for _, o := range []Options{{Overwrite: true}, {Overwrite: true, DeleteExtra: true}} {
		if extra, err := Preview(t.Context(), dir, m, m.Files, o); !errors.Is(err, ErrOccupied) {
			t.Errorf("%+v: %q, %v", o, extra, err)
		}
	}
}
