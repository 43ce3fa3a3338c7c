package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A supervisor is the service manager that started the program and waits for reports of its state, such as systemd with
// Type=notify. See sd_notify(3).
type supervisor struct {
	socket string // empty if none waits
	log    *slog.Logger
}

// findSupervisor returns the supervisor that the environment names. It removes the name from the environment, so that
// no command around a snapshot reports a state.
func findSupervisor(log *slog.Logger) *supervisor {
	s := &supervisor{socket: os.Getenv("NOTIFY_SOCKET"), log: log}
	os.Unsetenv("NOTIFY_SOCKET")
	return s
}

// send reports a state. An error is only logged: the service works without a supervisor.
func (s *supervisor) send(state string) {
	if s.socket == "" {
		return
	}
	if err := sendDatagram(s.socket, state); err != nil {
		s.log.Warn("cannot report the state of the service to its supervisor", "state", state, "error", err)
	}
}

// reportStop reports the stop as soon as ctx ends. The function that it returns ends that, after a report in progress: the
// program does not exit before it is sent.
func (s *supervisor) reportStop(ctx context.Context) (end func()) {
	sent := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(sent)
		s.send("STOPPING=1")
	})
	return func() {
		if !cancel() {
			<-sent
		}
	}
}

// reloading reports that a reload begins. systemd orders its requests and such reports by their time.
func (s *supervisor) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		s.log.Warn("cannot read the monotonic clock for a report to the supervisor", "error", err)
		return
	}
	s.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// reportTimeout bounds the wait for a supervisor that reads no reports.
const reportTimeout = 5 * time.Second

// sendDatagram sends a text to a socket of the file system, or to an abstract one, whose name begins with @.
func sendDatagram(socket, text string) (err error) {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("connecting to NOTIFY_SOCKET: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetWriteDeadline(time.Now().Add(reportTimeout)); err != nil {
		return fmt.Errorf("setting a time limit for NOTIFY_SOCKET: %w", err)
	}
	if _, err := c.Write([]byte(text)); err != nil {
		return fmt.Errorf("writing to NOTIFY_SOCKET: %w", err)
	}
	return nil
}
