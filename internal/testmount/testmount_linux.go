package testmount

import "golang.org/x/sys/unix"

// Tmpfs mounts a file system in memory at a directory, with options such as "size=1m". The caller calls unmount, which
// succeeds although a program has a file open there: a program that another test starts has all open files of this
// process for a moment. It needs root.
func Tmpfs(dir, options string) (unmount func() error, err error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return nil, err
	}
	return func() error { return unix.Unmount(dir, unix.MNT_DETACH) }, nil
}
