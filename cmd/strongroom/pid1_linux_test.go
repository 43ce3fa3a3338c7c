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
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	marks := filepath.Join(to, "marks")
	config := filepath.Join(to, "strongroom.yaml")
	text := "archives:\n" + inDir("a", dir, to+"/a", "    schedule: '@every 1s'\n")
	text = strings.Replace(text, "dir: "+dir, "dir: "+dir+", before: '(true &) ; echo x >>"+marks+"'", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := program(t, "run", "--config", config)
	c.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	if err := c.Start(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("this system permits no process namespaces: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}()
	waitUntil(t, "three runs and no dead children", func() bool {
		b, _ := os.ReadFile(marks)
		return strings.Count(string(b), "x") >= 3 && len(children(c)) == 1
	})
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	if ended = true; err != nil {
		t.Errorf("it ended with %v", err)
	}
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
