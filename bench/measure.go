//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the resource usage of a client process, without the server.
type usage struct {
	Wall time.Duration `json:"wall_ns"`
	CPU  time.Duration `json:"cpu_ns"`
	Peak int64         `json:"peak_bytes"` // the largest resident size
}

// measure runs a command to its end, below a separate process: Linux includes in a process's peak that of the
// process that started it. With a directory in synced, the wall time includes making durable all that the command
// wrote to that directory's file system.
func (r *round) measure(c *exec.Cmd, synced string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	var out, errs bytes.Buffer
	below := exec.Command(self, append([]string{"measure", synced}, c.Args...)...)
	below.Env, below.Dir, below.Stdout, below.Stderr = c.Env, c.Dir, &out, &errs
	below.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cpus.start(below); err != nil {
		return usage{}, err
	}
	if err := below.Wait(); err != nil {
		return usage{}, fmt.Errorf("%q: %w: %s", c.Args, err, bytes.TrimSpace(errs.Bytes()))
	}
	var u usage
	return u, json.Unmarshal(out.Bytes(), &u)
}

// measureHere runs a command and prints its usage. It discards the command's output.
func measureHere(synced string, args []string) error {
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := c.Run(); err != nil {
		return err
	}
	if synced != "" {
		if err := syncAll(synced); err != nil {
			return err
		}
	}
	u := usage{Wall: time.Since(start), CPU: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	u.Peak = c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	return json.NewEncoder(os.Stdout).Encode(u)
}

// processors are those that the measured programs may use; nil means all.
type processors struct{ set *unix.CPUSet }

// clientProcessors returns the upper half of the machine's processors. The lower half is for the server and for this
// process, which must have been started with no others.
func clientProcessors() (processors, error) {
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return processors{}, fmt.Errorf("reading the processors of this process: %w", err)
	}
	first, last, err := onlineProcessors()
	if err != nil {
		return processors{}, err
	}
	upper := &unix.CPUSet{}
	for i := first + (last-first+1)/2; i <= last; i++ {
		if own.IsSet(i) {
			return processors{}, fmt.Errorf("with BENCH_PIN, the server and this program must be started on the lower half "+
				"of the processors, without processor %d: make bench uses taskset for that", i)
		}
		upper.Set(i)
	}
	return processors{upper}, nil
}

// onlineProcessors returns the first and the last processor of the machine, whatever this process may use.
func onlineProcessors() (first, last int, err error) {
	const file = "/sys/devices/system/cpu/online"
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(b), "%d-%d", &first, &last); err != nil || last <= first {
		return 0, 0, fmt.Errorf("BENCH_PIN needs at least two processors in one range; %s has %q", file, bytes.TrimSpace(b))
	}
	return first, last, nil
}

// start starts a command on the processors. A child process gets those of the thread that starts it.
func (p processors) start(c *exec.Cmd) error {
	if p.set == nil {
		return c.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, p.set); err != nil {
		return fmt.Errorf("pinning the clients: %w", err)
	}
	err := c.Start()
	if back := unix.SchedSetaffinity(0, &own); back != nil && err == nil {
		err = back
	}
	return err
}
