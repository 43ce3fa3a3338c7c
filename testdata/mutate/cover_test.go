package main

import (
	"path/filepath"
	"testing"
)

// A package without test files has no test binary: the trial goes on with the tests of the packages that use it.
func TestPackageWithoutTests(t *testing.T) {
	names, err := (&trial{}).testsOf(t.Context(), "./archive/internal/none", filepath.Join(t.TempDir(), "none.test"))
	if err != nil || len(names) != 0 {
		t.Errorf("tests %v, error %v", names, err)
	}
}
