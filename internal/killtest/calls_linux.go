//go:build amd64 || arm64

package killtest

import "golang.org/x/sys/unix"

// writeFlags are those of an open file that may be written to.
const writeFlags = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC

// changing are the calls that count with any arguments.
var changing = map[uint64]string{
	unix.SYS_FSYNC:     "fsync",
	unix.SYS_FDATASYNC: "fdatasync",
	unix.SYS_FTRUNCATE: "ftruncate",
	unix.SYS_TRUNCATE:  "truncate",
	unix.SYS_FCHMOD:    "fchmod",
	unix.SYS_FCHMODAT:  "fchmodat",
	unix.SYS_FCHOWN:    "fchown",
	unix.SYS_FCHOWNAT:  "fchownat",
	unix.SYS_UTIMENSAT: "utimensat",
	unix.SYS_FLOCK:     "flock",
	unix.SYS_MKDIRAT:   "mkdirat",
	unix.SYS_MKNODAT:   "mknodat",
	unix.SYS_LINKAT:    "linkat",
	unix.SYS_SYMLINKAT: "symlinkat",
	unix.SYS_UNLINKAT:  "unlinkat",
	unix.SYS_RENAMEAT:  "renameat",
	unix.SYS_RENAMEAT2: "renameat2",
}

// writing are the calls that count if their descriptor is of a file that was opened for writing, with the index of
// that argument.
var writing = map[uint64]struct {
	name     string
	argument int
}{
	unix.SYS_WRITE:           {"write", 0},
	unix.SYS_PWRITE64:        {"pwrite64", 0},
	unix.SYS_WRITEV:          {"writev", 0},
	unix.SYS_PWRITEV:         {"pwritev", 0},
	unix.SYS_FALLOCATE:       {"fallocate", 0},
	unix.SYS_SENDFILE:        {"sendfile", 0},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", 2},
	unix.SYS_CLOSE:           {"close", 0},
}

// counted returns a call's name and whether it counts. writable are the descriptors of files that were opened for
// writing.
func counted(call *entry, writable map[uint64]bool) (name string, counts bool) {
	if name, counts = changing[call.nr]; counts {
		return name, true
	}
	if w, ok := writing[call.nr]; ok {
		return w.name, writable[call.args[w.argument]]
	}
	if opensToWrite(call) {
		return "openat", true
	}
	return "", false
}

// opensToWrite reports whether a call opens a file so that it may be written to.
func opensToWrite(call *entry) bool {
	return call.nr == unix.SYS_OPENAT && call.args[2]&writeFlags != 0
}
