package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The tests in files that need the program as a user has it build it once, and run it as
// a process of its own.
var build = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(sharedDir, "strongroom")
	c := exec.Command("go", "build", "-o", bin, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return bin, nil
})

// whole skips a test that takes longer than the fast loop can bear.
func whole(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long or needs servers: make test runs it")
	}
}

// program is a process of the program that was not started yet. With -short the test ends here.
func program(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	whole(t)
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, args...)
	c.Env = append(os.Environ(), "STRONGROOM_STATE_DIR="+t.(interface{ TempDir() string }).TempDir())
	endWithTest(c)
	return c
}

// outcome is a process's exit code and output.
type outcome struct {
	code           int
	stdout, stderr string
	peak           int64 // bytes resident, at most
}

// finish runs a process to its end.
func finish(t testing.TB, c *exec.Cmd) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	usage, _ := c.ProcessState.SysUsage().(*syscall.Rusage)
	return outcome{c.ProcessState.ExitCode(), out.String(), errs.String(), usage.Maxrss << 10}
}

// forgetPeak makes the peak of this process what it holds now: the kernel counts it into
// that of the processes that it starts (exec_mmap in fs/exec.c).
func forgetPeak(t testing.TB) {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Logf("peaks are those of this process, too: %v", err)
	}
}

// succeed runs the program and fails the test if it fails. An archive in memory exists in this
// process alone, so the program then runs in it.
func succeed(t testing.TB, args ...string) outcome {
	t.Helper()
	var o outcome
	if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "mem://") }) {
		var out, errs bytes.Buffer
		o.code = run(args, &out, &errs)
		o.stdout, o.stderr = out.String(), errs.String()
	} else {
		o = finish(t, program(t, args...))
	}
	if o.code != 0 {
		t.Fatalf("strongroom %q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o
}

// A destination is where a test archives to: a fresh one a call.
type destination struct {
	name string
	url  func(t *testing.T) string
}
