// Package killtest runs a program and kills it at one of its system calls, for tests that
// kill it at each of them.
//
// Only calls that change files or their names count, and those that lock files, over all threads of the program in
// the order of their execution. Each call has two moments: before the kernel executes it, and after that, before
// the program gets the result. Run kills at one moment. A test tries 1, 2, … until a run ends before its moment.
//
// These calls count:
//   - openat that creates a file or may write to it, and close of such a file
//   - write, pwrite64, writev, pwritev, copy_file_range, sendfile and fallocate to such a file
//   - fsync, fdatasync, ftruncate, fchmod, fchown and flock
//   - mkdirat, mknodat, linkat, symlinkat, unlinkat, renameat, renameat2
//   - fchmodat, fchownat, utimensat and truncate
//
// Writes to the standard streams do not count, nor does openat2, which Go does not use. The
// threads of a program run in another order each time, so the same moment is not always the same
// call.
package killtest

import "errors"

// ErrNotPermitted means that this system does not let a process trace another one.
var ErrNotPermitted = errors.New("this system does not let a test trace the program that it starts")

// A Result is the end of a run.
type Result struct {
	Killed  bool
	Code    int    // the exit code of a run that was not killed; -1 if another signal ended it
	Moments int    // the number of moments counted, including that of the kill
	Call    string // the moment of the kill, such as "before linkat"; empty if not killed
}
