package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
)

// unreadState runs every command while something keeps the local state from being read. A command that the guards
// protect is refused. Every other command goes on, since it may be the last resort, and warns: an operator must not hear
// of it first when a backup fails. Each names what is in the way.
func unreadState(t *testing.T, state, names string, spoil func(pin string)) {
	t.Helper()
	dir, db := t.TempDir(), logs(t)
	if state == "" {
		state = filepath.Join(dir, "state")
	}
	config := filepath.Join(dir, "strongroom.yaml")
	text := "state_dir: " + state + "\narchives:\n" + inDir("a", db, dir+"/a", "    retention: {last: 100}\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(append([]string{"--config", config, "--no-progress"}, args...), &out, &errs)
		return code, out.String() + errs.String()
	}
	if code, output := try("backup", "a"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, output)
	}
	pin := pinOf(t, state, "file://"+dir+"/a")
	if names == "" {
		names = pin
	}
	spoil(pin)
	logDir(t, db, 3, 5, 100)
	entries, err := os.ReadDir(db)
	if err != nil {
		t.Fatal(err)
	}
	file := entries[0].Name()
	for _, refused := range [][]string{
		{"backup", "a"},
		{"prune", "a"},
		{"hold", "a@1"},
		{"verify", "a"},
		{"status"},
		{"check", "a"},
		{"copy", "a", "--to", "file://" + dir + "/copy"},
	} {
		if code, output := try(refused...); code == exitDone || !strings.Contains(output, names) {
			t.Errorf("%q: exit code %d: %s", refused, code, output)
		}
	}
	for _, warns := range [][]string{
		{"list", "a"},
		{"show", "a"},
		{"show", "a@1"},
		{"stats", "a"},
		{"cat", "a", file},
		{"cat", "a@1", file},
		{"diff", "a@1", "a@1"},
		{"drill", "a"},
		{"archived", "a", filepath.Join(db, file)},
		{"restore", "a", "--to", filepath.Join(dir, "r1")},
		{"restore", "a@1", "--to", filepath.Join(dir, "r2")},
	} {
		code, output := try(warns...)
		if code != exitDone || strings.Count(output, "level=WARN") == 0 || !strings.Contains(output, names) {
			t.Errorf("%q: exit code %d: %s", warns, code, output)
		}
	}
}

// pinOf returns the file with the pin of an archive.
func pinOf(t *testing.T, state, url string) string {
	t.Helper()
	bucket, err := providers.Open(t.Context(), url, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	m, err := archive.New(bucket, archive.Options{}).Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(state, m.Archive+"-*.json"))
	files = slices.DeleteFunc(files, func(f string) bool { return strings.Count(filepath.Base(f), ".") > 1 })
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	return files[0]
}

// The pin alone cannot be read.
func TestEveryCommandReportsAnUnreadPin(t *testing.T) {
	unreadState(t, "", "", func(pin string) { pipeFor(t, pin) })
}

// The state directory was replaced by something else, such as by a restore of the host.
func TestEveryCommandReportsAStateDirectoryThatIsNone(t *testing.T) {
	for what, put := range map[string]func(string) error{
		"file": func(name string) error { return os.WriteFile(name, nil, 0o600) },
		"pipe": func(name string) error { return syscall.Mkfifo(name, 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			unreadState(t, state, state+" is a", func(string) {
				if err := errors.Join(os.Rename(state, state+".aside"), put(state)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// Without a home directory, such as with HOME=/dev/null in a container, there is no local state and never was.
func TestNoStateDirectoryIsPossible(t *testing.T) {
	dir, db := t.TempDir(), logs(t)
	t.Setenv("STRONGROOM_STATE_DIR", "/dev/null/state")
	for _, args := range [][]string{
		{"backup", "--source", db, "file://" + dir + "/a"},
		{"check", "--source", db, "file://" + dir + "/a"},
		{"verify", "file://" + dir + "/a"},
		{"list", "file://" + dir + "/a"},
	} {
		if code, output := runIn(args...); code != exitDone {
			t.Errorf("%q: exit code %d: %s", args, code, output)
		}
	}
}
