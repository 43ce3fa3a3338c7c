//go:build !linux || !(amd64 || arm64)

package killtest

import (
	"fmt"
	"os/exec"
	"runtime"
)

// Run returns ErrNotPermitted: it is implemented for Linux on amd64 and arm64 only.
func Run(*exec.Cmd, int) (Result, error) {
	return Result{}, fmt.Errorf("%w (%s/%s)", ErrNotPermitted, runtime.GOOS, runtime.GOARCH)
}
