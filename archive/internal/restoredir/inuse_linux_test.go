package restoredir

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel leaves a lock out of its list if another one is released while the list is read. A restore that relied on
// one such list would write into the directory of a running database.
func TestLockThatOneReadingLacksIsFound(t *testing.T) {
	t.Parallel()
	want := fileID{unix.Mkdev(0xfe, 1), 77}
	const (
		held   = "1: POSIX  ADVISORY  WRITE 4242 fe:01:77 0 EOF\n"
		ours   = "1: POSIX  ADVISORY  WRITE 10 fe:01:77 0 EOF\n"
		waits  = "1: -> POSIX  ADVISORY  WRITE 4242 fe:01:77 0 EOF\n"
		lease  = "1: LEASE  ACTIVE    READ  4242 fe:01:77 0 EOF\n"
		others = "2: FLOCK  ADVISORY  WRITE 11 00:1a:5 0 EOF\n"
		fewer  = "2: FLOCK  ADVISORY  WRITE 11 00:1a:6 0 EOF\n"
	)
	for _, c := range []struct {
		what     string
		lists    []string // the last one repeats
		pid      int
		readings int
	}{
		{"in the first reading", []string{held + others}, 4242, 1},
		{"in the second reading", []string{others, held + others}, 4242, 2},
		{"in the third reading", []string{others, fewer, held}, 4242, 3},
		{"no lock", []string{others}, 0, 2},
		{"no lock at all", []string{""}, 0, 2},
		{"a lock that ended in between", []string{others, fewer, others, others, held}, 0, 4},
		{"this process has it", []string{ours}, 0, 2},
		{"a process waits for it", []string{waits}, 0, 2},
		{"a lease", []string{lease}, 0, 2},
	} {
		readings := 0
		read := func() ([]byte, error) {
			list := c.lists[min(readings, len(c.lists)-1)]
			readings++
			return []byte(list), nil
		}
		pid, is := findLock(read, want, 10)
		if pid != c.pid || is != (c.pid != 0) || readings != c.readings {
			t.Errorf("%s: process %d, %t, after %d readings", c.what, pid, is, readings)
		}
	}
}

// On a host where locks change all the time, the search ends.
func TestReadingLocksEnds(t *testing.T) {
	t.Parallel()
	readings := 0
	read := func() ([]byte, error) {
		readings++
		return fmt.Appendf(nil, "1: FLOCK  ADVISORY  WRITE %d 00:1a:5 0 EOF\n", readings), nil
	}
	if _, held := findLock(read, fileID{1, 2}, 10); held || readings != maxLockReadings {
		t.Errorf("%t after %d readings", held, readings)
	}
	denied := func() ([]byte, error) { return nil, fs.ErrPermission }
	if _, held := findLock(denied, fileID{1, 2}, 10); held {
		t.Error("found in no list")
	}
	if list, err := readLocks(); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%q, %v", list, err)
	}
}
