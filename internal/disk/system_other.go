//go:build !linux

package disk

import "golang.org/x/sys/unix"

// Only Linux has that in one call that all file systems share.
func renameNew(_, _ string) error { return unix.ENOSYS }

func renameNewAt(_ int, _ string, _ int, _ string) error { return unix.ENOSYS }

func syncAll(int) error {
	unix.Sync()
	return nil
}
