package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A service that is told to reload says that it cannot, and goes on.
func TestServiceIgnoresHangup(t *testing.T) {
	dir := t.TempDir()
	logDir(t, filepath.Join(dir), 0, 2, 100)
	configuration := filepath.Join(t.TempDir(), "strongroom.yaml")
	text := "archives:\n  - name: a\n    source: {dir: " + dir + "}\n    destination: file://" + t.TempDir() + "\n    schedule: \"@yearly\"\n"
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := program(t, "--config", configuration, "run")
	lines, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for in := bufio.NewScanner(lines); in.Scan(); {
		switch line := in.Text(); {
		case strings.Contains(line, "snapshot=1"):
			if err := c.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(line, "SIGHUP is ignored"):
			said["ignored"] = strings.Contains(line, "level=WARN") && strings.Contains(line, "not in this version")
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err != nil || !said["ignored"] {
		t.Errorf("the service ended with %v, and warned: %v", err, said["ignored"])
	}
}
