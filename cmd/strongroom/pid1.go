package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"
)

// forwarded are the signals that process 1 passes on.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// runAsInit runs the program as a child of this process, and returns its exit code. It returns
// false if no child can be started. Process 1, as in a container, becomes the parent of all
// orphans. Here it waits for each of them: commands before and after snapshots would otherwise
// leave one dead process with every run.
func runAsInit() (code int, ok bool) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	self, err := os.Executable()
	if err != nil {
		return noInit(err)
	}
	attributes := &syscall.SysProcAttr{}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		// A process group of its own, so that it gets each Ctrl-C once.
		attributes = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: fd}
	}
	child, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: attributes,
	})
	if err != nil {
		return noInit(err)
	}
	var ending atomic.Pointer[time.Time]
	go func() {
		for s := range signals {
			_ = child.Signal(s) // an error means that it has ended
			if s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT {
				ending.CompareAndSwap(nil, new(time.Now()))
				_ = child.Signal(syscall.SIGCONT) // a stopped process gets no other signal
			}
		}
	}()
	return reap(child.Pid, &ending), true
}

// stoppedFor is how long after the signal to end a child that others stop again and again is continued. Then it is
// killed. The program itself needs at most 10 seconds.
const stoppedFor = 10 * time.Second

// reap waits for all children of this process until one of them, child, has ended. It returns the
// exit code of child; after a signal, that is 128 and the signal's number, as in a shell. ending is
// when the child got the signal to end; nil before.
func reap(child int, ending *atomic.Pointer[time.Time]) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WUNTRACED, nil)
		switch since := ending.Load(); {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // there is no child any more, which cannot be
			return exitFailed
		case pid == child && status.Signaled():
			return 128 + int(status.Signal())
		case pid == child && status.Stopped() && since != nil:
			how := syscall.SIGCONT
			if time.Since(*since) > stoppedFor {
				how = syscall.SIGKILL
			}
			_ = syscall.Kill(child, how) // it exists until it was waited for
		case pid == child && status.Exited():
			return status.ExitStatus()
		}
	}
}

// noInit reports that this process runs the program itself.
func noInit(err error) (int, bool) {
	fmt.Fprintf(os.Stderr, "strongroom: dead processes of commands may accumulate, since process 1 cannot start a child: %v\n", err)
	return 0, false
}
