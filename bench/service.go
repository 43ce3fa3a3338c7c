//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	benchToken = "a token for the length of a benchmark"
	patience   = 10 * time.Minute // for one run
)

// A running is strongroom as a service, which keeps the newest snapshot's list of files in memory.
type running struct {
	cmd     *exec.Cmd
	address string
}

// serviced is strongroom as a service. The first backup starts it; each further one is requested from it. The
// measured usage is that of the process from the request to the end of the run.
func serviced(binary string) program {
	return program{
		name:  "strongroom, as a service",
		start: func(r *round, at *place) (*running, error) { return start(binary, r, at) },
	}
}

// start starts the service, which makes a snapshot at once, and waits for the snapshot.
func start(binary string, r *round, at *place) (*running, error) {
	token, file := filepath.Join(at.scratch, "token"), filepath.Join(at.scratch, "strongroom.yaml")
	config := fmt.Sprintf(`state_dir: %s
http: {listen: 127.0.0.1:0, token_file: %s}
archives:
  - name: bench
    source: {dir: %s, layout: files, pattern: '.*\.log', quiet: 1s}
    destination: %s
    schedule: "@every 24h"
`, filepath.Join(at.scratch, "state"), token, at.dir, archiveURL(at))
	if err := errors.Join(os.WriteFile(token, []byte(benchToken), 0o600), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		return nil, err
	}
	c := exec.Command(binary, "run", "--config", file, "--log-format", "json")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logged, err := c.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cpus.start(c); err != nil {
		return nil, err
	}
	s := &running{cmd: c}
	address := make(chan string, 1)
	go func() {
		defer close(address)
		for lines := bufio.NewScanner(logged); lines.Scan(); {
			var line struct{ Address, Level, Msg, Error string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Address != "" {
				address <- strings.TrimSuffix(line.Address, "/")
			} else if line.Level == "ERROR" {
				fmt.Fprintln(os.Stderr, "bench: the service:", line.Msg, line.Error)
			}
		}
	}()
	if s.address = <-address; s.address == "" {
		return nil, errors.Join(errors.New("the service does not start"), s.stop())
	}
	if err := s.wait(1); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// stop ends the service. It does nothing if s is nil.
func (s *running) stop() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.cmd.Wait())
}

// backup requests a run and returns its usage.
func (s *running) backup() (usage, error) {
	done, err := s.runs()
	if err != nil {
		return usage{}, err
	}
	cpu, begin := s.cpu(), time.Now()
	r, err := http.NewRequest(http.MethodPost, s.address+"/api/v1/archives/bench/backup", nil)
	if err != nil {
		return usage{}, err
	}
	r.Header.Set("Authorization", "Bearer "+benchToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return usage{}, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return usage{}, fmt.Errorf("requesting a run: %s", answer.Status)
	}
	if err := s.wait(done + 1); err != nil {
		return usage{}, err
	}
	return usage{Wall: time.Since(begin), CPU: s.cpu() - cpu, Peak: s.peak()}, nil
}

// wait waits until the number of successful runs is want.
func (s *running) wait(want int64) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		done, err := s.runs()
		switch {
		case err != nil:
			return err
		case done >= want:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("a run of the service does not end within %v", patience)
		}
	}
}

// runs returns the number of successful runs.
func (s *running) runs() (int64, error) {
	answer, err := http.Get(s.address + "/api/v1/archives/bench")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var is struct {
		Runs struct{ Made, Unchanged, Failed int64 }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&is); err != nil {
		return 0, err
	}
	if is.Runs.Failed > 0 {
		return 0, errors.New("a run of the service failed")
	}
	return is.Runs.Made + is.Runs.Unchanged, nil
}

// cpu returns the processor time that the process has used, in steps of 10 ms.
func (s *running) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if err != nil || !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak returns the process's largest resident size in bytes, including the first backup.
func (s *running) peak() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if err != nil || !ok {
		return 0
	}
	kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10
}
