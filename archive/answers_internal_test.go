package archive

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
	if err := New(storetest.Memory(t), Options{}).preview(ctx, files, nil, &RestoreResult{}); !errors.Is(err, context.Canceled) {
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

// A report of a repair names each restored manifest once, whatever else is wrong: a list that lacks one hides that the
// archive had lost it.
func TestRestoredParentIsReportedOnce(t *testing.T) {
	t.Parallel()
	key := manifest.ManifestKey(2)
	for problem, want := range map[string]int{"data/a/1": 1, key: 0} {
		r := &repairRun{outcome: map[string]error{}, verifyRun: &verifyRun{
			report: &values.VerifyReport{Problems: []values.Problem{{Object: problem}}}, repairProgress: &repairProgress{mended: map[string]bool{}},
		}}
		r.noteParent(key, 3, &manifest.Ref{Sequence: 2})
		if len(r.report.Repaired) != want {
			t.Errorf("beside the problem of %s: %+v", problem, r.report.Repaired)
		}
	}
}

// A database that was moved with a program that sets new times is the same database, also if its layout never appends
// to a closed file.
func TestSameFilesWithNewTimesAreTheSameDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock settles young files at once
		dir, src := logFiles(t)
		mem := storetest.Memory(t)
		backUp(t, New(mem, Options{}), src, 1)
		paths, err := filepath.Glob(filepath.Join(dir, "log.*"))
		if err != nil || len(paths) != 3 {
			t.Fatalf("%q, %v", paths, err)
		}
		for i, path := range slices.Backward(paths) {
			then := time.Now().Add(-time.Duration(i+1) * time.Hour)
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
		}
		backUp(t, New(mem, Options{}), src, 1)
	})
}
