package archive

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

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
