package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// try applies a mutation, runs the tests and takes the mutation back.
func (t *trial) try(ctx context.Context, m *mutation) (outcome, error) {
	for _, p := range m.Packages { // in the sound copy
		if _, err := t.suiteOf(ctx, p); err != nil {
			return "", err
		}
	}
	takeBack, err := m.apply(ctx, t.tree)
	if takeBack != nil {
		defer takeBack()
	}
	if err != nil {
		return "", err
	}
	for i, p := range m.Packages {
		binary := t.binary("mutant", p)
		// Vet would take a while, and what it finds is nothing that a test has found.
		if _, err := t.goDo(ctx, "test", "-c", "-vet=off", "-o", binary, p); err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			return invalid, nil
		}
		is, err := t.testShort(ctx, t.suites[p], binary, m)
		if is == survived && err == nil && i == 0 && m.Run != "" {
			is, err = t.test(ctx, t.limit, p, binary, "-test.run", m.Run)
		}
		if is == survived && err == nil && t.long > 0 {
			if is, err = t.test(ctx, t.long, p, binary); is == hung {
				is = survived // the sound code may take as long
			}
		}
		if is != survived || err != nil {
			return is, err
		}
	}
	return survived, nil
}

// testShort runs the short tests that reach a mutation, in two rounds.
func (t *trial) testShort(ctx context.Context, s *suite, binary string, m *mutation) (outcome, error) {
	var rounds [2][]string
	var took time.Duration
	for _, name := range s.reaching(m) {
		took += s.tests[name].Took
		if took <= quick {
			rounds[0] = append(rounds[0], name)
		} else {
			rounds[1] = append(rounds[1], name)
		}
	}
	// On a machine that is busy with other things, all takes longer.
	limit := max(t.limit, 4*took)
	for _, names := range rounds {
		if names == nil {
			continue
		}
		is, err := t.test(ctx, limit, s.pkg, binary, "-test.short", "-test.run", "^("+strings.Join(names, "|")+")$")
		if is != survived || err != nil {
			return is, err
		}
	}
	return survived, nil
}

// test runs tests until the first failure.
func (t *trial) test(ctx context.Context, limit time.Duration, pkg, binary string, arguments ...string) (outcome, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := t.runIn(limited, pkg, binary, append([]string{"-test.failfast", "-test.timeout=1h"}, arguments...)...)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil:
		return survived, nil
	case limited.Err() != nil:
		return hung, nil
	case !errors.As(err, new(*exec.ExitError)):
		return "", fmt.Errorf("running the tests of %s: %w", pkg, err)
	}
	return killed, nil
}

// binary is where the tests of a package are compiled to. Some of them expect their usual name.
func (t *trial) binary(what, pkg string) string {
	return filepath.Join(t.state, what, filepath.Base(pkg)+".test")
}

// goDo runs the go command in the copy.
func (t *trial) goDo(ctx context.Context, arguments ...string) ([]byte, error) {
	return t.runIn(ctx, ".", "go", arguments...)
}

// runIn runs a program in a directory of the copy, in a process group of its own, which ends
// with the context.
func (t *trial) runIn(ctx context.Context, dir, program string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = filepath.Join(t.tree, dir)
	c.Env = append(os.Environ(), "GOWORK=off")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	return c.CombinedOutput()
}
