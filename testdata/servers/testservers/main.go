// Command testservers runs a command with real S3 servers and cleans up after it:
//
//	testservers -minio .cache/bin/minio -- go test ./...
//
// It starts MinIO twice, over http and over TLS with a new certificate, on free ports of 127.0.0.1. Both have
// random credentials, an encryption key named "test", and their data in a temporary directory: in memory, if TMPDIR
// is not set, and /dev/shm and the free memory have 12 GiB. When both are ready, it runs the command with
//
//	STRONGROOM_TEST_S3      http://127.0.0.1:PORT
//	STRONGROOM_TEST_S3_TLS  https://127.0.0.1:PORT
//	AWS_CA_BUNDLE           the PEM file that signs the latter
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION=us-east-1
//
// With -azurite, it also starts Azurite, the emulator of Azure Blob Storage, and sets
//
//	STRONGROOM_TEST_AZURE   127.0.0.1:PORT
//	AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY
//
// With -gcs, it starts fake-gcs-server, an emulator of Google Cloud Storage, and sets
//
//	STRONGROOM_TEST_GCS     127.0.0.1:PORT
//
// With -toxiproxy, it starts toxiproxy, which creates proxies that disturb connections, and sets
//
//	STRONGROOM_TEST_TOXIPROXY  127.0.0.1:PORT
//
// With -versitygw, it starts VersityGW, another S3 server, with the credentials of MinIO, and sets
//
//	STRONGROOM_TEST_VERSITYGW  http://127.0.0.1:PORT
//
// With -rclone, it starts "rclone serve s3", another S3 server, with the credentials of MinIO, and sets
//
//	STRONGROOM_TEST_RCLONE  http://127.0.0.1:PORT
//
// With -seaweedfs, it starts SeaweedFS, another S3 server, with the credentials of MinIO, and sets
//
//	STRONGROOM_TEST_SEAWEEDFS  http://127.0.0.1:PORT
//
// AWS, Azure and Google settings of the environment are not passed on. The command gets no standard input. The
// first signal is passed on to the command and its child processes; a second signal, or 20 seconds, kill them. In
// any case the servers are stopped and the temporary directory is removed.
//
// The exit code is the command's, 128+N if signal N ended it, 127 if it could not be started, and 125 if a server
// failed, in which case the end of that server's log is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

const (
	exitServer     = 125 // a server failed
	exitNotStarted = 127 // the command could not be started

	grace = 20 * time.Second // between a signal and the kill of the command
)

func main() {
	// The children are killed when the thread that started them ends, so this thread must not end.
	runtime.LockOSThread()
	var p programs
	flag.StringVar(&p.minio, "minio", "minio", "MinIO's `binary`")
	flag.StringVar(&p.azurite, "azurite", "", "Azurite's `program` azurite-blob; empty starts no Azurite")
	flag.StringVar(&p.gcs, "gcs", "", "fake-gcs-server's `binary`; empty starts no emulator of Google Cloud Storage")
	flag.StringVar(&p.toxiproxy, "toxiproxy", "", "toxiproxy's `binary`; empty starts no toxiproxy")
	flag.StringVar(&p.versityGW, "versitygw", "", "VersityGW's `binary`; empty starts no VersityGW")
	flag.StringVar(&p.rclone, "rclone", "", "rclone's `binary`; empty starts no rclone")
	flag.StringVar(&p.seaweedFS, "seaweedfs", "", "SeaweedFS's `binary` weed; empty starts no SeaweedFS")
	wait := flag.Duration("wait", time.Minute, "the time for a server to become ready")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: testservers [-minio FILE] [-azurite FILE] [-gcs FILE] [-toxiproxy FILE] [-versitygw FILE] [-rclone FILE] [-seaweedfs FILE] [-wait D] -- COMMAND ARGS...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	code, err := with(p, *wait, flag.Args())
	if err != nil {
		fmt.Fprintf(os.Stderr, "testservers: %v\n", err)
	}
	os.Exit(code)
}

// programs are the servers' programs. All but MinIO may be empty.
type programs struct{ minio, azurite, gcs, toxiproxy, versityGW, rclone, seaweedFS string }

// with starts the servers, runs the command and stops the servers.
func with(p programs, wait time.Duration, command []string) (int, error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	dir, err := newDirectory(memory("/dev/shm", "/proc/meminfo", enough))
	if err != nil {
		return exitServer, fmt.Errorf("making a directory for the servers: %w", err)
	}
	defer os.RemoveAll(dir)

	// A signal during the start of the servers cancels the start: there is no command yet.
	starting, started := context.WithTimeout(context.Background(), wait)
	early := make(chan os.Signal, 1)
	go func() {
		defer close(early)
		select {
		case sig := <-signals:
			early <- sig
			started()
		case <-starting.Done():
		}
	}()
	s, err := startServers(starting, p.minio, dir)
	for try := 1; try < 3 && errors.Is(err, errEnded); try++ { // another process may have taken the port
		s.stop()
		s, err = startServers(starting, p.minio, dir)
	}
	defer s.stop()
	if err == nil {
		err = s.startExtras(starting, p)
	}
	started()
	if sig, ok := <-early; ok {
		return 128 + int(sig.(syscall.Signal)), fmt.Errorf("%v during the start of the servers", sig)
	}
	if err != nil {
		return exitServer, err
	}
	fmt.Fprintf(os.Stderr, "testservers: MinIO is ready at %s and %s\n", s.plain.url, s.tls.url)
	for _, r := range s.extra {
		fmt.Fprintf(os.Stderr, "testservers: %s is ready at %s\n", r.name, r.url)
	}
	return run(command, s.environment(os.Environ()), signals, s)
}

// run runs the command to its end. A signal, or the end of a server, stops the command.
func run(command, env []string, signals <-chan os.Signal, s *servers) (int, error) {
	c := exec.Command(command[0], command[1:]...)
	c.Env = env
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = ownGroup() // so that a signal reaches the command's child processes, too
	if err := c.Start(); err != nil {
		return exitNotStarted, fmt.Errorf("starting the command: %w", err)
	}
	group := -c.Process.Pid
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()

	var kill <-chan time.Time
	var dead error
	plain, tls, extra := s.plain.done, s.tls.done, s.extraEnded()
	for {
		select {
		case <-done:
			if kill != nil {
				_ = syscall.Kill(group, syscall.SIGKILL) // child processes that are still running
			}
			if dead != nil {
				return exitServer, dead
			}
			return exitCode(c.ProcessState), nil
		case sig := <-signals:
			if kill != nil {
				_ = syscall.Kill(group, syscall.SIGKILL)
				continue
			}
			kill = time.After(grace)
			_ = syscall.Kill(group, sig.(syscall.Signal))
		case <-kill:
			fmt.Fprintf(os.Stderr, "testservers: the command is killed, %v after the signal\n", grace)
			_ = syscall.Kill(group, syscall.SIGKILL)
		case <-plain:
			plain, dead = nil, errors.Join(dead, s.plain.failure(errEnded))
			kill = time.After(grace)
			_ = syscall.Kill(group, syscall.SIGTERM)
		case <-tls:
			tls, dead = nil, errors.Join(dead, s.tls.failure(errEnded))
			kill = time.After(grace)
			_ = syscall.Kill(group, syscall.SIGTERM)
		case r := <-extra:
			dead = errors.Join(dead, r.failure(errEnded))
			kill = time.After(grace)
			_ = syscall.Kill(group, syscall.SIGTERM)
		}
	}
}

// exitCode returns a process's exit code as a shell does.
func exitCode(p *os.ProcessState) int {
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return p.ExitCode()
}
