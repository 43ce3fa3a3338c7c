//go:build !linux

package disk

import "golang.org/x/sys/unix"

// Only Linux has one call for this that works on all file systems.
func renameNew(_, _ string) error { return unix.ENOSYS }

func renameNewAt(_ int, _ string, _ int, _ string) error { return unix.ENOSYS }

func syncAll(int) error {
	unix.Sync()
	return nil
}
