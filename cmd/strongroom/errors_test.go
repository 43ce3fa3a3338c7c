package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
)

// The most important of several failures gives the exit code, in whatever order they came.
func TestExitCodeOfSeveral(t *testing.T) {
	t.Parallel()
	ordered := []struct {
		err  error
		code int
	}{
		{fmt.Errorf("verifying a: %w", archive.ErrDamaged), exitDamaged},
		{fmt.Errorf("b: %w", archive.ErrForeign), exitConflict},
		{fmt.Errorf("c: %w", archive.ErrNoSnapshot), exitNotFound},
		{usage("d is no archive"), exitUsage},
		{errors.New("e: connection refused"), exitFailed},
	}
	for i, worse := range ordered {
		for _, other := range ordered[i:] {
			for _, err := range []error{errors.Join(worse.err, other.err), errors.Join(other.err, worse.err)} {
				if got := exitCode(t.Context(), err); got != worse.code {
					t.Errorf("%q: exit code %d, want %d", err, got, worse.code)
				}
			}
		}
	}
}
