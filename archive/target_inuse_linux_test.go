package archive_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
)

const (
	apartTarget = "STRONGROOM_TEST_APART_TARGET"
	apartProc   = "STRONGROOM_TEST_APART_PROC"
)

// TestRestorer is no test, but the process that restoreApart starts.
func TestRestorer(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(apartTarget)
	if dir == "" {
		return
	}
	if os.Getenv(apartProc) != "" {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	_, _, a := archived(t, 4)
	_, err := a.Restore(t.Context(), newest(t, a), dir, replaceAll)
	switch {
	case err == nil:
		fmt.Println("restored")
	case errors.Is(err, archive.ErrInUse):
		fmt.Println("refused:", err)
	case errors.Is(err, os.ErrPermission):
		fmt.Println("denied:", err)
	default:
		t.Fatal(err)
	}
}

// restoreApart restores into a directory in another process, and returns how that went.
func restoreApart(t *testing.T, dir string, as *syscall.SysProcAttr, env ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("to be another user, or in another container, takes root")
	}
	// Go builds the program where only its owner may enter. Another process copies it: what this
	// one has open for writing could not be run while a test beside this one starts a process.
	bin := filepath.Join(t.TempDir(), "test")
	if out, err := exec.Command("cp", os.Args[0], bin).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{bin, dir} {
		for in = filepath.Dir(in); in != filepath.Clean(os.TempDir()); in = filepath.Dir(in) {
			if err := os.Chmod(in, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := exec.Command(bin, "-test.run=^TestRestorer$")
	c.Dir = "/"
	c.Env = append(append(os.Environ(), apartTarget+"="+dir), env...)
	c.SysProcAttr = as
	out, err := c.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("this is not allowed here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// A database in another container shares nothing but the directory: /proc shows neither its
// process nor its lock.
func TestRestoreWhereAnotherContainerRunsTheDatabase(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]string{"je.lck": "fcntl", "noxu.lck": "flock"} {
		r := newRunning(t)
		lock := filepath.Join(r.dir, name)
		_, release := holdFile(t, lock, way)
		before := tree(t, r.dir)
		container := func() string {
			as := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Unshareflags: unix.CLONE_NEWNS}
			return restoreApart(t, r.dir, as, apartProc+"=1")
		}
		if out := container(); !strings.Contains(out, "refused: ") || !strings.Contains(out, lock) {
			t.Errorf("%s: %s", name, out)
		}
		unchanged(t, r.dir, before)
		release()
		if out := container(); !strings.Contains(out, "restored\n") {
			t.Errorf("%s of a database that has ended: %s", name, out)
		}
	}
}

// Another user may not read the database's process, and perhaps not its lock file. If that cannot
// be checked, the restore is refused, too.
func TestRestoreAsAnotherUserThanTheDatabase(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]string{"je.lck": "fcntl", "noxu.lck": "flock"} {
		r := newRunning(t)
		lock := filepath.Join(r.dir, name)
		_, release := holdFile(t, lock, way)
		err := os.Chmod(r.dir, 0o777)
		for n := range tree(t, r.dir) {
			err = errors.Join(err, os.Chmod(filepath.Join(r.dir, n), 0o666))
		}
		if err = errors.Join(err, os.Chmod(r.dir, 0o777), os.Chmod(lock, 0o600)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, r.dir)
		other := func() string {
			return restoreApart(t, r.dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		}
		if out := other(); !strings.Contains(out, "refused: ") || !strings.Contains(out, lock) {
			t.Errorf("%s: %s", name, out)
		}
		unchanged(t, r.dir, before)
		release()
		if out := other(); !strings.Contains(out, "denied: ") || !strings.Contains(out, lock) {
			t.Errorf("%s that cannot be read: %s", name, out)
		}
		unchanged(t, r.dir, before)
		if err := os.Chmod(lock, 0o644); err != nil {
			t.Fatal(err)
		}
		if out := other(); !strings.Contains(out, "restored\n") {
			t.Errorf("%s of a database that has ended: %s", name, out)
		}
	}
}
