package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// pipeFor puts a named pipe in the place of a file until undo is called.
func pipeFor(t *testing.T, file string) (undo func()) {
	t.Helper()
	if err := os.Rename(file, file+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	return func() {
		if err := os.Rename(file+".aside", file); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever another program put in the place of a file of the local state, no command waits for it. What a guard needs is
// refused and never counts as missing; a restore goes on, since it may be the last resort.
func TestPipesInTheLocalState(t *testing.T) {
	t.Parallel()
	dir, db := t.TempDir(), t.TempDir()
	logDir(t, db, 0, 2, 100)
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "strongroom.yaml")
	text := "state_dir: " + state + "\narchives:\n" + inDir("a", db, dir+"/a", "    retention: {last: 100}\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(args ...string) (int, string) {
		var errs bytes.Buffer
		code := run(append([]string{"--config", config, "--no-progress"}, args...), t.Output(), &errs)
		return code, errs.String()
	}
	for _, command := range []string{"backup", "verify"} {
		if code, errs := try(command, "a"); code != exitDone {
			t.Fatalf("%s: exit %d: %s", command, code, errs)
		}
	}
	files, err := filepath.Glob(filepath.Join(state, "*.*"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %v", files, err)
	}
	for n, file := range files {
		undo := pipeFor(t, file)
		logDir(t, db, n+2, n+3, 100)
		base := filepath.Base(file)
		isPin := strings.Count(base, ".") == 1 && base != "writer.json" && filepath.Ext(base) == ".json" && !strings.HasPrefix(base, "place-")
		refuses := map[string]bool{
			"backup": isPin || strings.HasPrefix(base, "place-") || strings.HasSuffix(base, ".source.json") || strings.HasSuffix(base, ".sightings"),
			"verify": isPin, "prune": isPin, "restore": false,
		}
		for command, want := range refuses {
			args := []string{command, "a"}
			if command == "restore" {
				args = append(args, "--to", fmt.Sprintf("%s/restored%d", dir, n))
			}
			code, errs := try(args...)
			if (code != exitDone) != want {
				t.Errorf("a pipe as %s: %s ends with %d: %s", base, command, code, errs)
			}
			if want && (!strings.Contains(errs, file+" is a named pipe") || !strings.Contains(errs, "another directory")) {
				t.Errorf("a pipe as %s: %s names neither it nor a remedy: %s", base, command, errs)
			}
		}
		undo()
	}
	for _, command := range []string{"backup", "verify"} {
		if code, errs := try(command, "a"); code != exitDone {
			t.Errorf("%s, once the pipes are gone: exit %d: %s", command, code, errs)
		}
	}
}

// An archive whose local state cannot be read fails and states why. It delays neither another archive nor the stop.
func TestServiceWithAPipeInTheLocalState(t *testing.T) {
	t.Parallel()
	whole(t)
	dir, to, state := t.TempDir(), t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	place := "place-" + manifest.Sum([]byte("file://" + to + "/a")).String()[:32] + ".json"
	if err := syscall.Mkfifo(filepath.Join(state, place), 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	s := &served{t: t, config: filepath.Join(to, "strongroom.yaml"), ended: make(chan struct{})}
	s.write("state_dir: " + state + "\nhttp: {listen: 127.0.0.1:0}\narchives:\n" + inDir("a", dir, to+"/a", yearly) + inDir("b", dir, to+"/b", yearly))
	s.start()
	s.wait("a snapshot was made", "b")
	line := s.wait("the run failed", "a")
	if text := fmt.Sprint(line["error"]); !strings.Contains(text, "is a named pipe") {
		t.Errorf("%s", text)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}
