//go:build amd64 || arm64

package killtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// envDir makes the test binary the program that the tests kill: it works in this directory.
const envDir = "STRONGROOM_KILLTEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		os.Exit(work(dir))
	}
	os.Exit(m.Run())
}

// work makes a directory and a file in it, one call after the other, while it has several threads.
func work(dir string) int {
	for range 4 {
		go func() {
			for {
				time.Sleep(time.Millisecond)
			}
		}()
	}
	sub := filepath.Join(dir, "d")
	err := os.Mkdir(sub, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(sub, "f"), []byte("whole"), 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(sub, "f"), filepath.Join(sub, "g"))
	}
	if err != nil {
		return 1
	}
	return 7
}

// killAt runs work until a moment, and returns how it ended and the calls that it left.
func killAt(t *testing.T, moment int) (Result, []string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDir+"="+dir)
	r, err := Run(cmd, moment)
	if errors.Is(err, ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, name := range []string{"d", "d/f", "d/g"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			if info.Mode().IsRegular() && info.Size() > 0 {
				name += " (whole)"
			}
			left = append(left, name)
		}
	}
	return r, left
}

// A test that kills at every moment must meet each call twice, undone and done, and nothing else.
func TestEveryMoment(t *testing.T) {
	t.Parallel()
	want := []struct {
		call string
		left []string
	}{
		{"before mkdirat", nil},
		{"after mkdirat", []string{"d"}},
		{"before openat", []string{"d"}},
		{"after openat", []string{"d", "d/f"}},
		{"before write", []string{"d", "d/f"}},
		{"after write", []string{"d", "d/f (whole)"}},
		{"before close", []string{"d", "d/f (whole)"}},
		{"after close", []string{"d", "d/f (whole)"}},
		{"before renameat", []string{"d", "d/f (whole)"}},
		{"after renameat", []string{"d", "d/g (whole)"}},
	}
	for i, w := range want {
		r, left := killAt(t, i+1)
		if !r.Killed || r.Call != w.call || r.Moments != i+1 || !slices.Equal(left, w.left) {
			t.Errorf("moment %d: %+v left %q; want it killed %s, with %q left", i+1, r, left, w.call, w.left)
		}
	}
}

// The moment after the last, and none at all, let the program end as it would without a tracer.
func TestNoMoment(t *testing.T) {
	t.Parallel()
	for _, moment := range []int{0, 11} {
		if r, left := killAt(t, moment); r.Killed || r.Code != 7 || r.Moments != 10 || len(left) != 2 {
			t.Errorf("moment %d: %+v left %q", moment, r, left)
		}
	}
}

// A program that another signal ends is no run that was killed, and Run does not wait for more.
func TestOtherSignal(t *testing.T) {
	t.Parallel()
	r, err := Run(exec.Command("/bin/sh", "-c", "kill -TERM $$"), 0)
	if errors.Is(err, ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil || r.Killed || r.Code != -1 {
		t.Errorf("%+v, %v", r, err)
	}
}
