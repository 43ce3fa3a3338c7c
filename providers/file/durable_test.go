package file

import (
	"errors"
	"io/fs"
	"testing"
)

// A directory that cannot be opened cannot be synced. If syncDir dropped that error, Put would acknowledge an
// object whose name a power loss removes. A directory that does not exist needs no sync: it was empty.
func TestDirectoryThatCannotBeOpenedIsNotDurable(t *testing.T) {
	t.Parallel()
	for given, want := range map[error]error{fs.ErrPermission: fs.ErrPermission, fs.ErrNotExist: nil} {
		if err := syncDir(nil, given); !errors.Is(err, want) {
			t.Errorf("%v: %v", given, err)
		}
	}
}
