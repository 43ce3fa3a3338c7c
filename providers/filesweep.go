package providers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// staleAge is how old something left behind must be for anybody to remove it.
const staleAge = 7 * 24 * time.Hour

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
		if time.Since(fi.ModTime()) < staleAge && !orphaned(e.Name()) {
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

// sweepFirst removes the temporary files of killed processes before the first that this one
// makes. Here a look costs next to nothing, and such a file may be as large as a log file.
func (t *tree) sweepFirst(ctx context.Context, root *disk.Root) {
	t.swept.Do(func() { _, _ = sweepTemp(ctx, root) }) // a file that stays harms nothing
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
