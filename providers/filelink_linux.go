package providers

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames a file below root unless there is one of the new name.
func renameNoReplace(root *os.Root, from, to string) error {
	old, err := root.Open(path.Dir(from))
	if err != nil {
		return err
	}
	defer old.Close()
	dir, err := root.Open(path.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Renameat2(int(old.Fd()), path.Base(from), int(dir.Fd()), path.Base(to), unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
