package file

import (
	"errors"
	"io/fs"
	"testing"
)

// A directory that cannot be opened cannot be synced. If that error got lost, Put would acknowledge an object
// whose name a power loss takes. One that is gone had nothing in it.
func TestDirectoryThatCannotBeOpenedIsNotDurable(t *testing.T) {
	t.Parallel()
	for given, want := range map[error]error{fs.ErrPermission: fs.ErrPermission, fs.ErrNotExist: nil} {
		if err := syncDir(nil, given); !errors.Is(err, want) {
			t.Errorf("%v: %v", given, err)
		}
	}
}
