package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
)

// tempPrefix begins the names of this process's temporary files: put-<machine>-<pid>-.
// The machine stands for this host since it was started and for the process ids as seen
// from here, so that a container next door does not take a live process for a dead one.
func tempPrefix() string { return "put-" + machine() + "-" + strconv.Itoa(os.Getpid()) + "-" }

var machine = sync.OnceValue(func() string {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux only; elsewhere the host's name must do
	pids, _ := os.Readlink("/proc/self/ns/pid")
	sum := sha256.Sum256([]byte(host + "\n" + string(boot) + "\n" + pids))
	return hex.EncodeToString(sum[:8])
})

// sweepTemp removes the temporary files of killed processes: those that are a week old, and
// those of this machine whose process is gone. A process id that was given anew only
// delays that.
func sweepTemp(ctx context.Context, root *disk.Root) (int, error) {
	if _, err := root.Stat(hidden); err != nil {
		return 0, err
	}
	now, err := fileTime(root)
	if err != nil {
		return 0, err
	}
	return removeTemp(ctx, root, func(name string, fi fs.FileInfo) bool {
		return now.Sub(fi.ModTime()) >= cloud.StaleAge || orphaned(name)
	})
}

// fileTime returns the time by which the file system dates files: that of a file server may be right
// where this host's is a week ahead.
func fileTime(root *disk.Root) (time.Time, error) {
	f, name, err := tempFile(root)
	if err != nil {
		return time.Time{}, fmt.Errorf("making a file to see its date: %w", err)
	}
	fi, err := f.Stat()
	if err := errors.Join(err, f.Close(), root.Remove(name)); err != nil {
		return time.Time{}, fmt.Errorf("making a file to see its date: %w", err)
	}
	return fi.ModTime(), nil
}

// removeTemp removes the temporary files that are left behind.
func removeTemp(ctx context.Context, root *disk.Root, isLeft func(string, fs.FileInfo) bool) (int, error) {
	entries, err := readDir(root, hidden)
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() || !strings.HasPrefix(e.Name(), "put-") {
			continue // gone meanwhile, or none of ours
		}
		if !isLeft(e.Name(), fi) {
			continue
		}
		switch err := root.Remove(path.Join(hidden, e.Name())); {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}

// sweepFirst removes the temporary files of this host's killed processes before the first that this
// one makes: one may be as large as a log file, and listing them costs next to nothing. It does not
// go by age: where this host's clock is ahead, the file of another host's live process has any age.
func (t *tree) sweepFirst(ctx context.Context, root *disk.Root) {
	t.swept.Do(func() {
		_, _ = removeTemp(ctx, root, func(name string, _ fs.FileInfo) bool { return orphaned(name) }) // one that stays harms nothing
	})
}

// orphaned reports whether the process that made a temporary file is surely gone.
func orphaned(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) != 4 || parts[1] != machine() {
		return false
	}
	pid, err := strconv.Atoi(parts[2])
	return err == nil && pid > 0 && pid != os.Getpid() && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
