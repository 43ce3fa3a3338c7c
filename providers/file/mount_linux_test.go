package file

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// inNamespace reports whether the test runs in its own mount namespace. If it does not, inNamespace has run
// the test there in another process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "STRONGROOM_TEST_MOUNTS"
	if os.Getenv(mark) == "1" {
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		return true
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), mark+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("no mount namespace can be made here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func mountTemp(t *testing.T, dir string) {
	t.Helper()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() {
		for unix.Unmount(dir, unix.MNT_DETACH) == nil { // until nothing is mounted there
		}
	})
}

// mustUnmount unmounts a disk that nothing uses. A program that another test starts has all open files of this process
// for a moment, so it tries again for a while.
func mustUnmount(t *testing.T, dir string) {
	t.Helper()
	err := unix.Unmount(dir, 0)
	for deadline := time.Now().Add(time.Minute); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		err = unix.Unmount(dir, 0)
	}
	must(t, err)
}

// A real disk is unmounted while an archive on it is in use, or replaced by another one. No operation creates
// a file below the mount point. Between two runs the disk can be unmounted.
func TestFileMounts(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	for _, below := range []string{"", "orders/node-1"} {
		for name, change := range map[string]func(t *testing.T, mnt string){
			"unmounted":    func(t *testing.T, mnt string) { must(t, unix.Unmount(mnt, unix.MNT_DETACH)) },
			"mounted over": mountTemp,
			"another disk": func(t *testing.T, mnt string) {
				must(t, unix.Unmount(mnt, unix.MNT_DETACH))
				mountTemp(t, mnt)
			},
		} {
			t.Run(name+" "+below, func(t *testing.T) {
				mnt := t.TempDir()
				mountTemp(t, mnt)
				s := openDir(t, filepath.Join(mnt, below))
				release := s.Hold()
				if _, err := s.Put(t.Context(), manifest.ArchiveKey, zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
					t.Fatal(err)
				}
				if err := unix.Unmount(mnt, 0); !errors.Is(err, unix.EBUSY) {
					t.Errorf("unmounting a disk in use: %v", err)
				}
				change(t, mnt)
				for name, op := range fileOps {
					if err := op(t.Context(), s); !errors.Is(err, store.ErrGone) {
						t.Errorf("%s: %v", name, err)
					}
				}
				release()
				if made, err := os.ReadDir(mnt); err != nil || len(made) > 0 {
					t.Errorf("%v was created in its place, %v", made, err)
				}
			})
		}
	}
	t.Run("between two runs", func(t *testing.T) {
		mnt := t.TempDir()
		mountTemp(t, mnt)
		s := openDir(t, mnt)
		release := s.Hold()
		if _, err := s.Put(t.Context(), manifest.ArchiveKey, zeros(10), storetest.SumsOf(make([]byte, 10))); err != nil {
			t.Fatal(err)
		}
		release()
		mustUnmount(t, mnt)
		if _, err := s.Stat(t.Context(), manifest.ArchiveKey); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// A disk that is mounted within an archive takes no object of it, since a link cannot lead there. A trial finds that
// before a backup does, also where the mode allows everything, and where the disk is mounted read-only.
func TestFileTrialOnAnotherDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := openDir(t, t.TempDir())
	dir := filepath.Join(s.root, "data", "a")
	must(t, os.MkdirAll(dir, 0o700))
	key := func(yield func(string) bool) { yield("data/a/0") }
	must(t, s.TestCreation(t.Context(), key))
	mountTemp(t, dir)
	if err := s.TestCreation(t.Context(), key); !errors.Is(err, unix.EXDEV) {
		t.Errorf("another disk: %v", err)
	}
	must(t, unix.Mount(s.root, s.root, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(s.root, unix.MNT_DETACH) })
	must(t, unix.Mount("", s.root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	readOnly := openDir(t, s.root)
	if err := readOnly.TestCreation(t.Context(), key); !errors.Is(err, unix.EROFS) {
		t.Errorf("read-only: %v", err)
	}
}
