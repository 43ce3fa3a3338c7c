package restoredir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A restore that waits at a directory while another one ends in it must not continue there: by then the directory has
// its final name, and a database may have been opened in it. So the lock alone is not enough: once it is held, the path
// must still name the locked directory.
func TestLockOfARenamedTargetIsRefused(t *testing.T) {
	t.Parallel()
	for what, next := range map[string]func(work string) error{
		"nothing is at the path":                func(string) error { return nil },
		"another restore has begun at the path": func(work string) error { return os.Mkdir(work, 0o700) },
	} {
		dir := filepath.Join(t.TempDir(), "db")
		work := dir + PartialSuffix
		if err := os.Mkdir(work, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := disk.OpenRoot(work)
		if err != nil {
			t.Fatal(err)
		}
		waiting := &Dir{dir: dir, work: work, root: root, fresh: true}
		defer waiting.Close()
		if err := os.Rename(work, dir); err != nil { // the other restore ends
			t.Fatal(err)
		}
		if err := next(work); err != nil {
			t.Fatal(err)
		}
		if err := waiting.acquireLock(); !errors.Is(err, ErrOccupied) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
