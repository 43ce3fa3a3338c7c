package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// As process 1 of a container, the program gets the orphans of the commands before and after
// snapshots. Without an end, the dead ones use up all process numbers.
func TestReapsAsProcess1(t *testing.T) {
	t.Parallel()
	c, marks, ended := asProcess1(t)
	waitUntil(t, "three runs and no dead children", func() bool {
		b, _ := os.ReadFile(marks)
		return strings.Count(string(b), "x") >= 3 && len(children(c)) == 1
	})
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	checkEnd(t, ended)
}

// A stopped child gets no signal to end before it is continued. Process 1 continues it, so that a container stops.
func TestProcess1EndsAStoppedChild(t *testing.T) {
	t.Parallel()
	c, marks, ended := asProcess1(t)
	waitUntil(t, "a run", func() bool {
		b, _ := os.ReadFile(marks)
		return len(b) > 0 && len(children(c)) == 1
	})
	child, err := strconv.Atoi(children(c)[0])
	if err != nil {
		t.Fatal(err)
	}
	isStopped := func() bool {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		return strings.Contains(string(b), ") T ")
	}
	if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "stopped child", isStopped)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	checkEnd(t, ended)
}

// checkEnd waits for the end of process 1.
func checkEnd(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("it did not end")
	}
}

// asProcess1 starts the service as process 1 of a namespace, with a run each second. Each adds a line to the file
// marks. The channel ended gets the result of the process.
func asProcess1(t *testing.T) (c *exec.Cmd, marks string, ended <-chan error) {
	t.Helper()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	marks = filepath.Join(to, "marks")
	config := filepath.Join(to, "strongroom.yaml")
	text := "archives:\n" + inDir("a", dir, to+"/a", "    schedule: '@every 1s'\n")
	text = strings.Replace(text, "dir: "+dir, "dir: "+dir+", before: '(true &) ; echo x >>"+marks+"'", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c = program(t, "run", "--config", config)
	c.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	if err := c.Start(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("this system permits no process namespaces: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	result, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		result <- c.Wait()
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill() // an error means that it has ended
		<-done
	})
	return c, marks, result
}

// children returns the children of a process, also the dead ones.
func children(c *exec.Cmd) []string {
	pid := strconv.Itoa(c.Process.Pid)
	tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
	var all []string
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		all = append(all, strings.Fields(string(b))...)
	}
	return all
}

func waitUntil(t *testing.T, what string, isDone func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !isDone(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}
