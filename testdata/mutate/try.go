package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An outcome is what became of a mutation.
type outcome string

const (
	killed   outcome = "killed"   // a test failed
	hung     outcome = "hung"     // the tests took too long, as with an endless loop
	survived outcome = "SURVIVED" // no test noticed
	invalid  outcome = "invalid"  // it does not compile
)

// quick is how long the tests of the first round take together: most mutations end there.
const quick = 3 * time.Second

// try runs the tests with one mutation.
func (t *trial) try(ctx context.Context, number int, m *mutation) (outcome, error) {
	for i, p := range m.Packages {
		binary := t.binary("mutants", p)
		if !t.built[p] {
			// Vet would take a while, and what it finds is nothing that a test has found.
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
			is, err = r.test(ctx, t.limit, "-test.run", m.Run)
		}
		if is == survived && err == nil && t.long > 0 {
			if is, err = r.test(ctx, t.long); is == hung {
				is = survived // the sound code may take as long
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
	choice string // for the environment
}

// short runs the short tests that reach a mutation, in two rounds.
func (r *runner) short(ctx context.Context, m *mutation) (outcome, error) {
	var rounds [2][]string
	var took time.Duration
	for _, name := range r.reaching(m) {
		took += r.tests[name].Took
		if took <= quick {
			rounds[0] = append(rounds[0], name)
		} else {
			rounds[1] = append(rounds[1], name)
		}
	}
	// On a machine that is busy with other things, all takes longer.
	limit := max(r.limit, 4*took)
	for _, names := range rounds {
		if names == nil {
			continue
		}
		is, err := r.test(ctx, limit, "-test.short", "-test.run", "^("+strings.Join(names, "|")+")$")
		if is != survived || err != nil {
			return is, err
		}
	}
	return survived, nil
}

// test runs tests until the first failure.
func (r *runner) test(ctx context.Context, limit time.Duration, arguments ...string) (outcome, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := r.runIn(limited, r.pkg, r.choice, r.binary, append([]string{"-test.failfast", "-test.timeout=1h"}, arguments...)...)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil:
		return survived, nil
	case limited.Err() != nil:
		return hung, nil
	case !errors.As(err, new(*exec.ExitError)):
		return "", fmt.Errorf("running the tests of %s: %w", r.pkg, err)
	}
	return killed, nil
}

// binary is where the tests of a package are compiled to. Some of them expect their usual name.
func (t *trial) binary(what, pkg string) string {
	return filepath.Join(t.state, what, filepath.Base(pkg)+".test")
}

// goDo runs the go command in the copy.
func (t *trial) goDo(ctx context.Context, arguments ...string) ([]byte, error) {
	return t.runIn(ctx, ".", "", "go", arguments...)
}

// runIn runs a program in a directory of the copy, in a process group of its own, which ends
// with the context. Choice goes into its environment.
func (t *trial) runIn(ctx context.Context, dir, choice, program string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = filepath.Join(t.tree, dir)
	c.Env = append(os.Environ(), "GOWORK=off")
	if choice != "" {
		c.Env = append(c.Env, choice)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	return c.CombinedOutput()
}
