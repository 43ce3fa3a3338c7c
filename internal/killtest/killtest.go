// Package killtest runs a program and kills it at one of its system calls, for tests that
// kill it at each of them.
//
// Only calls that change files or their names count, and those that lock files, over all
// threads of the program in the order in which they happen. Each has two moments: before the
// kernel does the call, and after it has done it, while the program has no answer yet. Run
// kills at one moment. A test tries 1, 2, … until a run ends before its moment.
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

// ErrNotPermitted reports that this system does not let a process trace another one.
var ErrNotPermitted = errors.New("this system does not let a test trace the program that it starts")

// A Result is how a run ended.
type Result struct {
	Killed  bool
	Code    int    // exit code of a run that was not killed; -1: a signal that is not of Run ended it
	Moments int    // that were counted, with the one at which the run was killed
	Call    string // of a run that was killed: the moment, such as "before linkat"
}
