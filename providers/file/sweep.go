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

// tempPrefix returns the prefix of the names of this process's temporary files: put-<machine>-<pid>-. The
// machine is a hash of this host, its boot and its process namespace. So a process in another container on the
// host does not consider this process dead.
func tempPrefix() string { return "put-" + machine() + "-" + strconv.Itoa(os.Getpid()) + "-" }

var machine = sync.OnceValue(func() string {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux only; other systems use only the host's name
	pids, _ := os.Readlink("/proc/self/ns/pid")
	sum := sha256.Sum256([]byte(host + "\n" + string(boot) + "\n" + pids))
	return hex.EncodeToString(sum[:8])
})

// sweepTemp removes the temporary files of killed processes: those that are at least a week old, and those of
// this machine whose process has ended. If the process id has been reused, the file is removed later.
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

// fileTime returns the time of the clock that the file system uses for modification times. A file server's
// clock may be correct while this host's clock is a week ahead.
func fileTime(root *disk.Root) (time.Time, error) {
	f, name, err := tempFile(root)
	if err != nil {
		return time.Time{}, fmt.Errorf("creating a file to read its time: %w", err)
	}
	fi, err := f.Stat()
	if err := errors.Join(err, f.Close(), root.Remove(name)); err != nil {
		return time.Time{}, fmt.Errorf("creating a file to read its time: %w", err)
	}
	return fi.ModTime(), nil
}

// removeTemp removes the temporary files for which isLeft returns true, and returns their number.
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
			continue // it has been removed since, or is no temporary file of a Put
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

// sweepFirst removes the temporary files of this host's killed processes, before this process creates its
// first one. Such a file may be as large as a log file, and listing them is cheap. The age does not count: if
// this host's clock is ahead, the file of a live process on another host may seem old.
func (t *tree) sweepFirst(ctx context.Context, root *disk.Root) {
	t.swept.Do(func() {
		// An error is ignored: a remaining file does no harm.
		_, _ = removeTemp(ctx, root, func(name string, _ fs.FileInfo) bool { return orphaned(name) })
	})
}

// orphaned reports whether the process that created a temporary file has certainly ended.
func orphaned(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) != 4 || parts[1] != machine() {
		return false
	}
	pid, err := strconv.Atoi(parts[2])
	return err == nil && pid > 0 && pid != os.Getpid() && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
