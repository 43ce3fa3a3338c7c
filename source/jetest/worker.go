package jetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// worker is one Java process that runs the commands of all tests of a package, one after another,
// since most of a command's time is the start of Java. It ends with the tests, when its standard
// input ends.
var worker struct {
	mu      sync.Mutex
	stdin   io.Writer // nil if the process is not running
	answers *bufio.Reader
	stderr  *bytes.Buffer
	kill    func()
	wait    func() error
}

// try runs a command that may fail in the worker, and returns its output. A worker that ends or
// hangs fails the test, and the next command starts another one.
func try(t testing.TB, args ...string) (string, error) {
	t.Helper()
	worker.mu.Lock()
	defer worker.mu.Unlock()
	if worker.stdin == nil {
		startWorker(t)
	}
	defer time.AfterFunc(commandTimeout, worker.kill).Stop()
	fmt.Fprintln(worker.stdin, strings.Join(args, "\t")) // an error shows as a missing response
	line, err := worker.answers.ReadString('\n')
	if err != nil {
		worker.stdin = nil
		worker.kill()
		t.Fatalf("the JE workload ended in %q: %v\n%s", args, worker.wait(), worker.stderr)
	}
	switch what, text, _ := strings.Cut(strings.TrimSpace(line), "\t"); what {
	case "ok":
		return text, nil
	case "failed":
		return "", fmt.Errorf("JE workload %s: %s", strings.Join(args, " "), text)
	}
	t.Fatalf("the JE workload printed %q about %q", line, args)
	return "", nil
}

// startWorker starts the worker. It needs worker.mu.
func startWorker(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx, t, "serve", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	worker.stderr = &bytes.Buffer{}
	cmd.Stderr = worker.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	worker.stdin, worker.answers, worker.kill, worker.wait = stdin, bufio.NewReader(stdout), cancel, cmd.Wait
}
