package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
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

// An error names an address once, wherever the fault was found.
func TestAddressIsNamedOnce(t *testing.T) {
	t.Parallel()
	for url, err := range map[string]error{
		"s3://b/p": errors.New("archive URL s3://b/p: no region for the bucket"),
		"gs://b/p": &providers.Error{Op: "listing", Where: "gs://b/p", Kind: providers.Denied, Err: errors.New("403")},
	} {
		if text := about(url, "verifying "+url, err).Error(); strings.Count(text, url) != 1 {
			t.Errorf("%q", text)
		}
	}
	if text := about("orders", "verifying orders", errors.New("403")).Error(); text != "verifying orders: 403" {
		t.Errorf("%q", text)
	}
}
