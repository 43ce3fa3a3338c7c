package restoredir

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// databaseLocks are the files by which databases keep a second process out of their directory.
// All of them outlive the process, so only the lock counts, or the process that they name.
var databaseLocks = []string{"je.lck", "noxu.lck", "postmaster.pid", "mongod.lock", "WiredTiger.lock"}

// isLockFile reports whether a file is there to be locked, by its base name.
func isLockFile(base string) bool {
	ext := filepath.Ext(base)
	return ext == ".lck" || ext == ".lock" || base == "LOCK" || base == "lock"
}

// isPIDFile reports whether a file names the process that runs, by its base name.
func isPIDFile(base string) bool { return filepath.Ext(base) == ".pid" || base == "mongod.lock" }

const (
	// A restore may take hours, and a database may be started in its target before it ends.
	useCheckEvery = 10 * time.Second
	// The pause between two checks is this many times what the first took, however many files there are.
	useCheckShare = 20
)

// A useCheck finds a database that runs where a restore writes. Its methods are safe for
// concurrent use. All of them return ErrInUse for a database that they find.
type useCheck struct {
	dir   string   // where the restored set is made
	above []string // the directories around it, by its name and by where links lead

	mu   sync.Mutex
	next time.Time // when the next complete check is due; zero: at once
}

func newUseCheck(dir string) *useCheck { return &useCheck{dir: dir, above: dirsAbove(dir)} }

// dirsAbove lists the directories in which an absolute path lies. A link may hide one of them.
func dirsAbove(dir string) []string {
	var above []string
	add := func(dir string) {
		for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
			if !slices.Contains(above, parent) {
				above = append(above, parent)
			}
		}
	}
	add(dir)
	for there, rest := dir, ""; ; there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest) {
		if real, err := filepath.EvalSymlinks(there); err == nil {
			add(filepath.Join(real, rest))
			return above
		}
		if there == filepath.Dir(there) {
			return above
		}
	}
}

// locks checks the locks of databases in the directory and around it.
func (u *useCheck) locks() error {
	for i := -1; i < len(u.above); i++ {
		dir := u.dir
		if i >= 0 {
			dir = u.above[i]
		}
		for _, name := range databaseLocks {
			if err := checkLock(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// all checks these locks, and each file of the directory: other processes may have locked it,
// or have it open.
func (u *useCheck) all(ctx context.Context) error {
	if err := u.locks(); err != nil {
		return err
	}
	open, err := filesOfProcesses()
	if err != nil {
		return fmt.Errorf("checking which files other processes have open: %w", err)
	}
	err = fs.WalkDir(os.DirFS(u.dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case name == lostFound && d.IsDir():
			return fs.SkipDir
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // what cannot be read is not replaced
			return nil
		case err != nil || d.IsDir():
			return err
		}
		name = filepath.Join(u.dir, filepath.FromSlash(name))
		if err := checkLock(name); err != nil {
			return err
		}
		return open.check(name)
	})
	if err != nil && !errors.Is(err, ErrInUse) {
		return fmt.Errorf("checking whether a database runs in the target: %w", err)
	}
	return err
}

// again is called before each change. It checks all the first time, then every few seconds,
// and the locks of databases in between.
func (u *useCheck) again(ctx context.Context) error {
	start := time.Now()
	u.mu.Lock()
	if start.Before(u.next) {
		u.mu.Unlock()
		return u.locks()
	}
	defer u.mu.Unlock()
	if err := u.all(ctx); err != nil {
		return err
	}
	end := time.Now()
	u.next = end.Add(max(useCheckEvery, useCheckShare*end.Sub(start)))
	return nil
}

// checkLock returns ErrInUse if a file is one by which a database keeps others out, and the
// database runs. A file that is not there, or in a directory that may not be searched, is none.
func checkLock(path string) error {
	base := filepath.Base(path)
	if !isLockFile(base) && !isPIDFile(base) {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if pid, held := systemLock(info); held {
		return fmt.Errorf("%w: %s is locked by %s", ErrInUse, path, process(pid))
	}
	f, err := disk.OpenNoWait(path, os.O_RDONLY|unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil { // a database that runs here would be destroyed: that is worse than one refusal too many
		return fmt.Errorf("checking whether a database runs in %s: %w", filepath.Dir(path), err)
	}
	defer f.Close()
	if isLockFile(base) {
		if err := checkLockFile(f, info); err != nil {
			return err
		}
	}
	if isPIDFile(base) {
		return checkPIDFile(f)
	}
	return nil
}

// checkLockFile returns ErrInUse if another process holds a lock on the file. It takes none
// itself, since that could keep the database from starting. Where locks of flock(2) are of the
// same kind as those of fcntl(2), as on BSD and macOS, F_GETLK shows both.
func checkLockFile(f *os.File, info fs.FileInfo) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} // conflicts with any lock of any part
	err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock)
	if err == nil && lock.Type != unix.F_UNLCK {
		return fmt.Errorf("%w: %s is locked by %s", ErrInUse, f.Name(), process(int(lock.Pid)))
	}
	if isOpenForWriting(f, info) {
		return fmt.Errorf("%w: another process has %s open for writing", ErrInUse, f.Name())
	}
	return nil
}

// checkPIDFile returns ErrInUse if the process that the file names is alive. It may be another
// one, which got the number of a database that has ended. That cannot be found out for certain:
// the database may run in a container, where it has another number.
func checkPIDFile(f *os.File) error {
	line, err := bufio.NewReader(io.LimitReader(f, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("checking whether a database runs in %s: %w", filepath.Dir(f.Name()), err)
	}
	pid, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
	if err != nil || pid == 0 {
		return nil
	}
	pid = max(pid, -pid) // PostgreSQL negates it for a database with a single user
	if err := unix.Kill(int(pid), 0); err != nil && !errors.Is(err, unix.EPERM) {
		return nil
	}
	return fmt.Errorf("%w: %s names %s, which is alive (if that is not the database, remove the file)",
		ErrInUse, f.Name(), process(int(pid)))
}

// process is a process as messages name it, by its number; a number below 1 is not known.
func process(pid int) string {
	if pid <= 0 {
		return "another process"
	}
	if name := processName(pid); name != "" {
		return fmt.Sprintf("process %d (%s)", pid, name)
	}
	return fmt.Sprintf("process %d", pid)
}
