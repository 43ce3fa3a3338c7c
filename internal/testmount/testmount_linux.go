package testmount

import "golang.org/x/sys/unix"

// Tmpfs mounts a file system in memory at a directory, with options such as "size=1m". The caller
// calls unmount. It needs root.
func Tmpfs(dir, options string) (unmount func() error, err error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return nil, err
	}
	return func() error { return unix.Unmount(dir, 0) }, nil
}
