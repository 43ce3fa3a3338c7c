package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A restore that waits at a directory while another one ends in it must not go on there: by now
// the directory has its final name, and a database may have been opened in it. So what counts is
// which directory the path names once the lock is held, and not that the lock was given.
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
		waiting := &target{dir: dir, work: work, root: root, fresh: true}
		defer waiting.close()
		if err := os.Rename(work, dir); err != nil { // the other restore ends
			t.Fatal(err)
		}
		if err := next(work); err != nil {
			t.Fatal(err)
		}
		if err := waiting.acquireLock(nil, nil); !errors.Is(err, ErrOccupied) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
