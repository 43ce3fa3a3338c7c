package main

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asAnotherUser runs this test in a process that is not root's, for which permissions count, and
// reports whether it did. Its directories must be open to that user.
func asAnotherUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	dir, err := os.MkdirTemp("", "strongroom-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		syscall.ForkLock.RLock() // a process that is forked now would have the file open, which then cannot be executed
		err = os.WriteFile(filepath.Join(dir, "test"), program, 0o755)
		syscall.ForkLock.RUnlock()
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(dir, "test"), "-test.run=^"+t.Name()+"$", "-test.v", "-test.short")
	c.Dir = dir
	c.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}

// inMemory returns the address of a new archive in this process, whose probes take no time.
func inMemory() string { return "mem://" + strings.ToLower(rand.Text()) }

// One file that the service's user may not read fails every backup. Check must report that before
// the first one, in whatever way the file is unreadable, and name it.
func TestCheckFailsWhereABackupCannotRead(t *testing.T) {
	t.Parallel()
	if asAnotherUser(t) {
		return
	}
	for what, c := range map[string]struct {
		spoil func(dir string) error
		name  string
	}{
		"a closed file": {func(dir string) error { return os.Chmod(filepath.Join(dir, "sub/2.log"), 0) }, "2.log"},
		"the last file": {func(dir string) error { return os.Chmod(filepath.Join(dir, "3.log"), 0) }, "3.log"},
		"a directory":   {func(dir string) error { return os.Chmod(filepath.Join(dir, "sub"), 0) }, "sub"},
		"a directory that can be listed, and not searched": {
			func(dir string) error { return os.Chmod(filepath.Join(dir, "sub"), 0o400) }, "2.log",
		},
		"a link to nothing": {func(dir string) error { return os.Symlink("/not/there", filepath.Join(dir, "4.log")) }, "4.log"},
		"a link to a file of another user": {
			func(dir string) error { return os.Symlink("/etc/shadow", filepath.Join(dir, "4.log")) }, "4.log",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"1.log", "sub/2.log", "3.log"} {
				if err := writeLog(filepath.Join(dir, name), []byte(name)); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"--source", dir, "--layout", "files", "--quiet", "0s", "--pattern", `(sub/)?.*\.log`}
			if code, output := runIn(append(append(quickly("check"), args...), inMemory())...); code != exitDone {
				t.Fatalf("before: exit code %d: %s", code, output)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(filepath.Join(dir, "sub"), 0o755) })
			for _, command := range []string{"check", "backup"} {
				code, output := runIn(append(append(quickly(command), args...), inMemory())...)
				if code == exitDone || !strings.Contains(output, c.name) {
					t.Errorf("%s: exit code %d: %s", command, code, output)
				}
			}
		})
	}
}

// What does not match, or is left out, needs no permission: a backup does not read it.
func TestCheckReadsOnlyWhatABackupReads(t *testing.T) {
	t.Parallel()
	if asAnotherUser(t) {
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"1.log", "2.log", "other.txt"} {
		if err := writeLog(filepath.Join(dir, name), []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "other.txt"), 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.log"), 0); err != nil {
		t.Fatal(err)
	}
	to := inMemory()
	for _, command := range []string{"check", "backup"} {
		code, output := runIn(append(quickly(command), "--source", dir, "--layout", "files", "--quiet", "0s", "--pattern", `.*\.log`, to)...)
		if code != exitDone || !strings.Contains(output, "pipe.log") {
			t.Errorf("%s: exit code %d: %s", command, code, output)
		}
	}
}

// Each of these ends a backup, and so check must fail too: a guard's finding, another layout, a
// file that no manifest can have.
func TestCheckFailsWhereABackupIsRefused(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		spoil func(dir string) error
		args  []string
		want  string
	}{
		"the source ends before the archive": {
			func(dir string) error {
				return errors.Join(os.Remove(filepath.Join(dir, "log.0000000003")), os.Remove(filepath.Join(dir, "log.0000000004")))
			}, nil, "--accept-rollback",
		},
		"the source is of another database": {
			func(dir string) error {
				for _, name := range []string{"log.0000000001", "log.0000000002", "log.0000000003"} {
					if err := writeLog(filepath.Join(dir, name), []byte(strings.Repeat("other ", 1000))); err != nil {
						return err
					}
				}
				return nil
			}, nil, "--take-over",
		},
		"another layout": {
			func(string) error { return nil },
			[]string{"--layout", "segments", "--pattern", `log\.([0-9]+)`},
			"its layout is segments",
		},
		"a file of an impossible size": {
			func(dir string) error {
				name := filepath.Join(dir, "log.0000000003")
				return os.Truncate(name, 6<<40)
			}, nil, "log.0000000003 has 6597069766656 bytes",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir, to := t.TempDir(), inMemory()
			for _, name := range []string{"log.0000000001", "log.0000000002", "log.0000000003", "log.0000000004"} {
				if err := writeLog(filepath.Join(dir, name), []byte(strings.Repeat(name, 1000))); err != nil {
					t.Fatal(err)
				}
			}
			for _, command := range []string{"backup", "check"} {
				if code, output := runIn(append(quickly(command), "--source", dir, to)...); code != exitDone {
					t.Fatalf("%s before: exit code %d: %s", command, code, output)
				}
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check", "backup"} {
				args := append(append(quickly(command), "--source", dir), c.args...)
				if code, output := runIn(append(args, to)...); code == exitDone || !strings.Contains(output, c.want) {
					t.Errorf("%s: exit code %d, want %q: %s", command, code, c.want, output)
				}
			}
		})
	}
}
