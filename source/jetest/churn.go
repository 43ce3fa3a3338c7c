package jetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Churn is a running process that overwrites records of an environment at random, one
// operation in each transaction, while JE's cleaner moves what is still needed to the
// end of the log and deletes log files.
type Churn struct {
	t     testing.TB
	stdin io.Closer
	wait  func() error
	kill  func()
	ended chan struct{} // closed when the process prints no more

	mu        sync.Mutex
	committed int64
	risen     chan struct{} // closed when committed has risen, and then another one
	out       bytes.Buffer  // all but the progress
	stopped   bool
}

// StartChurn begins to churn in dir, creating the environment or going on with one that
// a Churn with the same seed left. It does no more than so many operations a second; 0
// is as fast as it can. It ends with Stop, or at the latest with the test.
func StartChurn(t testing.TB, dir string, seed, perSecond int64) *Churn {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx, t, "churn", dir, strconv.FormatInt(seed, 10), strconv.FormatInt(perSecond, 10))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &Churn{t: t, stdin: stdin, wait: cmd.Wait, kill: cancel, ended: make(chan struct{}), risen: make(chan struct{})}
	cmd.Stderr = lockedWriter{c}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.follow(stdout)
	t.Cleanup(func() {
		if !c.stopped {
			stdin.Close()
			defer time.AfterFunc(commandTimeout, cancel).Stop()
			<-c.ended
			cmd.Wait()
		}
		cancel()
	})
	return c
}

// follow reads what the process prints until it ends.
func (c *Churn) follow(stdout io.Reader) {
	defer close(c.ended)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		n, isProgress := strings.CutPrefix(lines.Text(), "committed=")
		c.mu.Lock()
		if isProgress {
			c.committed, _ = strconv.ParseInt(n, 10, 64)
			close(c.risen)
			c.risen = make(chan struct{})
		} else {
			c.out.WriteString(lines.Text() + "\n")
		}
		c.mu.Unlock()
	}
}

// Committed returns how many operations are known to be in the log files.
func (c *Churn) Committed() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.committed
}

// Await waits until n operations are committed.
func (c *Churn) Await(n int64) {
	c.t.Helper()
	if err := c.Reach(n); err != nil {
		c.t.Fatal(err)
	}
}

// Reach is Await for goroutines other than the test's, which must not end the test.
func (c *Churn) Reach(n int64) error {
	timeout := time.After(commandTimeout)
	for {
		c.mu.Lock()
		committed, risen := c.committed, c.risen
		c.mu.Unlock()
		if committed >= n {
			return nil
		}
		select {
		case <-risen:
		case <-c.ended:
			return fmt.Errorf("the churn ended after %d operations: %s", committed, c.output())
		case <-timeout:
			return fmt.Errorf("the churn hangs after %d operations: %s", committed, c.output())
		}
	}
}

// Stop ends the churn in order, and returns what the environment holds.
func (c *Churn) Stop() Digest {
	c.t.Helper()
	c.stopped = true
	c.stdin.Close()
	defer time.AfterFunc(commandTimeout, c.kill).Stop()
	<-c.ended
	if err := c.wait(); err != nil {
		c.t.Fatalf("the churn failed: %v\n%s", err, c.output())
	}
	return digest(c.t, c.output())
}

func (c *Churn) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// lockedWriter keeps what the process prints as errors.
type lockedWriter struct{ c *Churn }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.out.Write(p)
}
