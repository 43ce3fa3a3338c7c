package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A file that the service reads at its start, and that is a pipe, ends the start with an error and never delays it.
func TestStartWithAPipeAsASetting(t *testing.T) {
	t.Parallel()
	dir, db := t.TempDir(), t.TempDir()
	logDir(t, db, 0, 2, 100)
	certFile, keyFile := writeTLS(t, dir)
	token, config := filepath.Join(dir, "token"), filepath.Join(dir, "strongroom.yaml")
	text := "state_dir: " + dir + "/state\nhttp: {listen: 127.0.0.1:0, token_file: " + token + ", cert_file: " + certFile +
		", key_file: " + keyFile + "}\narchives:\n" + inDir("a", db, dir+"/a", yearly)
	for file, content := range map[string]string{config: text, token: theToken} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{token, certFile, keyFile} {
		undo := pipeFor(t, file)
		var errs strings.Builder
		if code := run([]string{"--config", config, "run"}, t.Output(), &errs); code != exitUsage {
			t.Errorf("%s: exit %d", file, code)
		}
		if !strings.Contains(errs.String(), file+" is a named pipe") || !strings.Contains(errs.String(), "put a regular file there") {
			t.Errorf("%s: %s", file, errs.String())
		}
		if strings.Contains(errs.String(), "random text") { // it would go into the pipe
			t.Errorf("%s: the advice is that for a file that is missing: %s", file, errs.String())
		}
		undo()
	}
}

// One signal ends a command that waits for its configuration or its identities, as on a disk that hangs.
func TestSignalWhileACommandWaitsForAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"--config", fifo, "run"}, exitDone},
		{[]string{"--config", fifo, "backup", "a"}, exitInterrupted},
		{[]string{"restore", "--identity", fifo, "file://" + dir + "/a", "--to", dir + "/b"}, exitInterrupted},
	} {
		cmd := program(t, c.args...)
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // the exit code is compared
		}()
		writer := waitForReader(t, fifo)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatalf("%q goes on after a signal", c.args)
		}
		writer.Close()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%q ends with %d, not %d: %s", c.args, code, c.code, errs.String())
		}
	}
}

// waitForReader returns the other end of a pipe once a process reads it.
func waitForReader(t *testing.T, fifo string) *os.File {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		f, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			return f
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not read: %v", fifo, err)
		}
	}
}
