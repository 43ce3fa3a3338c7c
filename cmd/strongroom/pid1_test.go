package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

// reaper is the name under which the test's program is only process 1: reap waits for every child of its process.
const reaper = "strongroom-reaper"

// reapScript runs a shell script, given as an argument, as the child of process 1, and returns the exit code. The
// second argument is how long ago the child got the signal to end.
func reapScript() int {
	child, err := os.StartProcess("/bin/sh", []string{"sh", "-c", os.Args[1]}, &os.ProcAttr{})
	if err != nil {
		return exitFailed
	}
	ago, err := time.ParseDuration(os.Args[2])
	if err != nil {
		return exitFailed
	}
	var ending atomic.Pointer[time.Time]
	ending.Store(new(time.Now().Add(-ago)))
	return reap(child.Pid, &ending)
}

// A child that has to end and is stopped continues, however often. One that is still stopped after the time for the end
// of the program is killed: a container would not stop.
func TestStoppedChildHasAnEnd(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]struct {
		ago  time.Duration
		code int
	}{
		"kill -STOP $$; kill -STOP $$; exit 7": {-time.Hour, 7},
		"while :; do kill -STOP $$; done":      {stoppedFor - 100*time.Millisecond, 128 + 9},
		"exit 5":                               {time.Hour, 5},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := exec.CommandContext(ctx, os.Args[0])
		c.Args = []string{reaper, script, want.ago.String()}
		endWithTest(c)
		var exit *exec.ExitError
		if err := c.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if code := c.ProcessState.ExitCode(); code != want.code {
			t.Errorf("%s: exit code %d, not %d", script, code, want.code)
		}
	}
}
