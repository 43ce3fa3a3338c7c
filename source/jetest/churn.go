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

// Churn is a running process that overwrites random records of an environment, one operation in
// each transaction. JE's cleaner concurrently moves live records to the end of the log and deletes
// log files.
type Churn struct {
	t     testing.TB
	stdin io.Closer
	wait  func() error
	kill  func()
	ended chan struct{} // closed at the end of the process's output

	mu        sync.Mutex
	committed int64
	risen     chan struct{} // closed and replaced when committed has risen
	out       bytes.Buffer  // the output without the progress
	stopped   bool
}

// StartChurn starts a Churn in dir. It creates the environment, or continues with that of an
// earlier Churn with the same seed. It does at most perSecond operations a second; 0 sets no
// limit. It ends with Stop, or at the latest with the test.
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

// follow reads the output of the process until it ends.
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
			return fmt.Errorf("the churn stopped making progress after %d operations: %s", committed, c.output())
		}
	}
}

// Stop ends the churn cleanly, and returns the digest of the environment.
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

// lockedWriter appends the process's standard error to its output.
type lockedWriter struct{ c *Churn }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.out.Write(p)
}
