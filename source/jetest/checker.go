package jetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Checker is a running process that checks the environments of Churns with one seed, as Check
// does, in any number of directories. It saves time, since most of a Check is the start of Java.
// It is not safe for concurrent use.
type Checker struct {
	t       testing.TB
	stdin   io.Writer
	answers *bufio.Scanner
	stderr  bytes.Buffer
	wait    func() error
	kill    func()
}

// The errors of a log; test with errors.Is.
var (
	// ErrUnreadable means that JE cannot open the log, or fails while it reads the records.
	ErrUnreadable = errors.New("JE cannot read it")
	// ErrContradiction means that JE opens the log, and records are lost or out of date.
	ErrContradiction = errors.New("the records contradict each other")
)

// StartChecker starts a Checker, which ends with the test.
func StartChecker(t testing.TB, seed int64) *Checker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx, t, "checks", "-", strconv.FormatInt(seed, 10))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &Checker{t: t, stdin: stdin, answers: bufio.NewScanner(stdout), wait: cmd.Wait, kill: cancel}
	cmd.Stderr = &c.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
		cancel()
	})
	return c
}

// Check is the function Check for one directory. It returns the number of operations, or
// ErrUnreadable or ErrContradiction. A process that does not respond fails the test.
func (c *Checker) Check(dir string) (int64, error) {
	c.t.Helper()
	defer time.AfterFunc(commandTimeout, c.kill).Stop()
	fmt.Fprintln(c.stdin, dir) // an error shows as a missing response
	if !c.answers.Scan() {
		err := c.wait()
		c.t.Fatalf("the JE workload ended before it had checked %s: %v\n%s", dir, err, &c.stderr)
	}
	what, value, _ := strings.Cut(c.answers.Text(), "=")
	switch what {
	case "unreadable":
		return 0, fmt.Errorf("%w: %s", ErrUnreadable, value)
	case "contradiction":
		return 0, fmt.Errorf("%w: %s", ErrContradiction, value)
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if what != "operations" || err != nil {
		c.t.Fatalf("the JE workload printed %q about %s", c.answers.Text(), dir)
	}
	return n, nil
}
