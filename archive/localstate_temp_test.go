package archive_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A process that is killed while it writes the local state leaves a temporary file. A host that
// loses its power often must not collect them, and a process that writes just now keeps its own.
func TestLocalStateIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, young := filepath.Join(dir, ".witness-1"), filepath.Join(dir, ".witness-2")
	then := time.Now().Add(-2 * time.Hour)
	err := errors.Join(os.WriteFile(old, nil, 0o600), os.Chtimes(old, then, then), os.WriteFile(young, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	db := newDatabase(t, t.TempDir(), 1)
	db.fill(2, 10)
	mustBackup(t, archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: dir}}), db)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a killed process is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the file of another process has gone: %v", err)
	}
}
