//go:build !linux

package providers

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace would rename a file unless there is one of the new name; only Linux
// has that in one call that all file systems share.
func renameNoReplace(_ *os.Root, from, to string) error {
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: unix.ENOTSUP}
}
