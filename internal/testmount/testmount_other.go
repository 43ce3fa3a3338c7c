//go:build !linux

package testmount

import "errors"

// Tmpfs returns an error: there is no tmpfs on this system.
func Tmpfs(string, string) (unmount func() error, err error) {
	return nil, errors.ErrUnsupported
}
