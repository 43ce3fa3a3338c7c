package restoredir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFiles holds, for each regular file that another process has open, one such process.
type openFiles map[fileID]int

// check returns ErrInUse if another process has the file open, or the file that a link leads to.
func (o openFiles) check(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if pid, is := o[idOf(info)]; is {
		return fmt.Errorf("%w: %s is open in %s", ErrInUse, path, process(pid))
	}
	return nil
}

// filesOfProcesses lists what other processes have open, as far as this one may see it.
func filesOfProcesses() (openFiles, error) {
	// A child that has not yet become another program has the files of this process.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	proc, err := os.Open("/proc")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	own := strconv.Itoa(ownPID())
	pids := slices.DeleteFunc(names, func(name string) bool {
		return name == own || strings.Trim(name, "0123456789") != ""
	})
	return openIn(pids), nil
}

// openIn lists what processes have open. There may be thousands of them, with many files each.
func openIn(pids []string) openFiles {
	all := openFiles{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for some := range slices.Chunk(pids, len(pids)/runtime.GOMAXPROCS(0)+1) {
		running.Go(func() {
			open := openFiles{}
			for _, name := range some {
				if pid, err := strconv.Atoi(name); err == nil {
					eachOpenFile(name, func(id fileID) { open[id] = pid })
				}
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(all, open)
		})
	}
	running.Wait()
	return all
}

// eachOpenFile calls f for each descriptor of a regular file that a process has. A process that
// has just ended, or whose descriptors this one may not list, has none.
func eachOpenFile(pid string, f func(fileID)) {
	dir, err := os.Open(filepath.Join("/proc", pid, "fd"))
	if err != nil {
		return
	}
	defer dir.Close()
	fds, err := dir.Readdirnames(-1)
	if err != nil {
		return
	}
	for _, fd := range fds {
		if id, ok := statOpen(int(dir.Fd()), fd); ok {
			f(id)
		}
	}
}

// statOpen identifies the regular file to which an entry of a directory of descriptors leads.
func statOpen(dir int, fd string) (fileID, bool) {
	var st unix.Statx_t
	// The file may be on a server that does not answer: what the kernel has in memory will do.
	err := unix.Statx(dir, fd, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE|unix.STATX_INO, &st)
	if err == nil {
		return fileID{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFREG
	}
	var old unix.Stat_t // Linux has Statx from 4.11 on, and some containers refuse it
	err = unix.Fstatat(dir, fd, &old, 0)
	return fileID{uint64(old.Dev), old.Ino}, err == nil && old.Mode&unix.S_IFMT == unix.S_IFREG
}

// ownPID is the number of this process in /proc, which may be that of another container.
func ownPID() int {
	name, err := os.Readlink("/proc/self")
	if pid, bad := strconv.Atoi(name); err == nil && bad == nil {
		return pid
	}
	return os.Getpid()
}

// maxLockReadings is how often the kernel's list of locks is read at most, to find one file's.
const maxLockReadings = 10

// systemLock reports whether the kernel lists a lock on a file, of flock(2) or fcntl(2), that
// another process holds, and which one. The list leaves out processes of other containers.
func systemLock(info fs.FileInfo) (pid int, held bool) {
	return findLock(readLocks, idOf(info), ownPID())
}

// findLock searches the lists that read returns. The kernel makes its list a page at a time, by
// position: a lock that is released between two pages moves the others, and one of them is missing.
// So a list without the lock counts only once the next one is the same.
func findLock(read func() ([]byte, error), want fileID, own int) (pid int, held bool) {
	var last []byte
	for n := range maxLockReadings {
		list, err := read()
		if err != nil {
			return 0, false
		}
		if pid, held := lockIn(list, want, own); held {
			return pid, true
		}
		if n > 0 && bytes.Equal(list, last) {
			break
		}
		last = list
	}
	return 0, false
}

// readLocks reads the kernel's list, in as few pages as the kernel allows.
func readLocks() ([]byte, error) {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := bytes.NewBuffer(make([]byte, 0, 64<<10)) // ReadFrom reads all of the free part at once
	_, err = list.ReadFrom(f)
	return list.Bytes(), err
}

// lockIn returns the process in a list that holds a lock on a file, other than this process.
func lockIn(list []byte, want fileID, own int) (pid int, held bool) {
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		// 1: POSIX  ADVISORY  WRITE 12520 fe:00:9987715 0 EOF
		words := strings.Fields(lines.Text())
		if len(words) < 6 || words[1] == "->" || words[1] == "LEASE" || words[1] == "DELEG" { // -> waits for a lock
			continue
		}
		pid, err := strconv.Atoi(words[4])
		if err == nil && pid != own && lockedFile(words[5]) == want {
			return pid, true
		}
	}
	return 0, false
}

// lockedFile reads a file as /proc/locks has it: major:minor:inode, the first two hexadecimal.
func lockedFile(s string) fileID {
	major, rest, _ := strings.Cut(s, ":")
	minor, inode, _ := strings.Cut(rest, ":")
	a, err1 := strconv.ParseUint(major, 16, 32)
	b, err2 := strconv.ParseUint(minor, 16, 32)
	ino, err3 := strconv.ParseUint(inode, 10, 64)
	if errors.Join(err1, err2, err3) != nil {
		return fileID{}
	}
	return fileID{unix.Mkdev(uint32(a), uint32(b)), ino}
}

// isOpenForWriting reports whether another process has the file open for writing, as the
// holder of its lock does, also in another container, where /proc shows neither. The kernel grants
// a lease for reading only if there is none. A process that opens the file at this moment waits
// until the lease is given back; it does not fail. Where there are no leases, the answer is no.
func isOpenForWriting(f *os.File, info fs.FileInfo) bool {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK) // closing f gives it back, too
		return false
	}
	if !errors.Is(err, unix.EAGAIN) {
		return false
	}
	here := 0
	eachOpenFile("self", func(id fileID) {
		if id == idOf(info) {
			here++
		}
	})
	return here <= 1 // only f: then it is another process
}

// processName is the name of a process, or empty.
func processName(pid int) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
