package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An outcome is the result of trying a mutation.
type outcome string

const (
	killed   outcome = "killed"   // a test failed
	hung     outcome = "hung"     // the tests computed for too long, as in an endless loop
	late     outcome = "LATE"     // the time ran out before a test failed; counts as a survivor
	survived outcome = "SURVIVED" // no test failed
	invalid  outcome = "invalid"  // it does not compile
)

// quick is the total time of the tests in the first round, which finds most mutations. The tests of each further
// round take three times as long.
const quick = 3 * time.Second

// try runs the tests with one mutation.
func (t *trial) try(ctx context.Context, number int, m *mutation) (outcome, error) {
	for i, p := range m.Packages {
		binary := t.binary("mutants", p)
		if !t.built[p] {
			// Vet is off: it takes time, and its findings are not those of a test.
			if out, err := t.goDo(ctx, "test", "-c", "-vet=off", "-o", binary, p); err != nil {
				return "", fmt.Errorf("compiling the tests of %s: %w\n%s", p, err, out)
			}
			if t.built == nil {
				t.built = map[string]bool{}
			}
			t.built[p] = true
		}
		r := &runner{t, t.suites[p], binary, chosen + "=" + strconv.Itoa(number)}
		is, err := r.short(ctx, m)
		if is == survived && err == nil && i == 0 && m.Run != "" {
			is, _, err = r.test(ctx, t.limit, t.limit/endless, "-test.run", m.Run)
		}
		if is == survived && err == nil && t.long > 0 {
			if is, _, err = r.test(ctx, t.long, t.long/endless); is == hung || is == late {
				is = survived // the code without mutations may take as long
			}
		}
		if is != survived || err != nil {
			return is, err
		}
	}
	return survived, nil
}

// runner runs the tests of a package with one mutation.
type runner struct {
	*trial
	*suite
	binary string
	choice string // the variable in the environment that selects the mutation
}

// short runs the short tests that reach a mutation, the quickest first.
func (r *runner) short(ctx context.Context, m *mutation) (outcome, error) {
	var rounds [][]string
	var took, end time.Duration
	for _, name := range r.reaching(m) {
		if took += r.tests[name].Took; rounds == nil || took > end {
			rounds = append(rounds, nil)
			end = max(3*end, quick, took)
		}
		last := len(rounds) - 1
		rounds[last] = append(rounds[last], name)
	}
	left := r.limit
	for _, names := range rounds {
		if left < time.Second {
			return late, nil
		}
		var usual time.Duration
		for _, name := range names {
			usual += r.tests[name].Used
		}
		is, used, err := r.test(ctx, min(left, endless*usual+quick), usual, "-test.short", "-test.run", "^("+strings.Join(names, "|")+")$")
		if is != survived || err != nil {
			return is, err
		}
		left -= used
	}
	return survived, nil
}

const (
	// endless is the factor of processor time, compared to the code without mutations, above which tests count as
	// endless.
	endless = 4
	// patience is the factor between the limits of elapsed time and processor time: the machine may be busy.
	patience = 10
)

// test runs tests until the first failure. limit bounds their processor time, and usual is their usual one. It
// returns the processor time used.
func (r *runner) test(ctx context.Context, limit, usual time.Duration, arguments ...string) (outcome, time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, patience*limit)
	defer cancel()
	seconds := int(math.Ceil(limit.Seconds()))
	arguments = append([]string{"-c", fmt.Sprintf(`ulimit -t %d && exec "$0" "$@"`, seconds), r.binary, "-test.failfast", "-test.timeout=10h"}, arguments...)
	_, used, err := r.measure(limited, r.pkg, r.choice, "sh", arguments...)
	switch isOver := limited.Err() != nil || used >= limit; {
	case ctx.Err() != nil:
		return "", used, context.Cause(ctx)
	case err == nil:
		return survived, used, nil
	case isOver && used > endless/2*usual:
		return hung, used, nil
	case isOver:
		return late, used, nil // the machine is busy, or the tests wait forever
	case !errors.As(err, new(*exec.ExitError)):
		return "", used, fmt.Errorf("running the tests of %s: %w", r.pkg, err)
	}
	return killed, used, nil
}

// binary returns the path of a package's compiled tests. Some tests expect their usual file name.
func (t *trial) binary(what, pkg string) string {
	return filepath.Join(t.state, what, filepath.Base(pkg)+".test")
}

// goDo runs the go command in the copy.
func (t *trial) goDo(ctx context.Context, arguments ...string) ([]byte, error) {
	return t.runIn(ctx, ".", "", "go", arguments...)
}

// runIn runs a program in a directory of the copy, in a separate process group, which is killed when ctx ends.
// choice is added to its environment.
func (t *trial) runIn(ctx context.Context, dir, choice, program string, arguments ...string) ([]byte, error) {
	out, _, err := t.measure(ctx, dir, choice, program, arguments...)
	return out, err
}

// measure is runIn, and also returns the program's processor time.
func (t *trial) measure(ctx context.Context, dir, choice, program string, arguments ...string) ([]byte, time.Duration, error) {
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = filepath.Join(t.tree, dir)
	c.Env = append(os.Environ(), "GOWORK=off")
	if choice != "" {
		c.Env = append(c.Env, choice)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		return out, 0, err
	}
	return out, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), err
}
