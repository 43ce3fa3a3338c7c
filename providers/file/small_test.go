package file

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A copy of an archive made with other programs may lack the directory for temporary files. A prune of it must work.
func TestDeleteWithoutTheHiddenDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openDir(t, dir)
	_, err := storetest.PutBytes(t, s, "data/a/1", []byte("content"))
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(dir, hidden)))
	must(t, openDir(t, dir).Delete(t.Context(), store.AnyVersion("data/a/1")))
	if _, err := os.Lstat(filepath.Join(dir, "data", "a", "1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the object is still there: %v", err)
	}
}

// closed refuses new names in a directory, as one of another user does.
type closed struct{ dir string }

func (c *closed) Change(op *disk.Op, do func() error) error {
	if (op.Kind == disk.Link || op.Kind == disk.Rename) && strings.Contains(op.To, c.dir) {
		return unix.EACCES
	}
	return do()
}

// A dry run and a check report a directory that takes no objects. Otherwise the operator learns it from the first
// backup that fails.
func TestTrialFindsAClosedDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := storetest.PutBytes(t, openDir(t, dir), "data/a/1", []byte("content"))
	must(t, err)
	defer disk.Observe(dir, &closed{filepath.Join("data", "a")})()
	if err := openDir(t, dir).TestCreation(t.Context(), slices.Values([]string{"data/a/2"})); !errors.Is(err, unix.EACCES) {
		t.Errorf("%v, want EACCES", err)
	}
}
