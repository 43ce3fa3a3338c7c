//go:build amd64 || arm64

package killtest

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// options are those of a traced program: its new threads and processes are traced, too, and none of them outlives
// this process.
const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_EXITKILL

// Run starts cmd and kills it, with all its threads, at a moment of its system calls: 1 is the first, and 0 kills
// at none. It returns when the program has ended. The streams of cmd must be files or nil, and the caller must not
// call cmd.Wait. It returns ErrNotPermitted if the system permits no tracing. Run is safe for concurrent use.
func Run(cmd *exec.Cmd, moment int) (Result, error) {
	// The kernel lets only the thread that started the program trace it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	cmd.SysProcAttr.Setpgid = true // so that wait4 waits for this program and no other child
	if err := cmd.Start(); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			err = fmt.Errorf("%w: %w", ErrNotPermitted, err)
		}
		return Result{}, err
	}
	t := &tracee{pid: cmd.Process.Pid, moment: moment, threads: map[int]*thread{}, writable: map[uint64]bool{}}
	err := t.trace()
	if err != nil {
		t.kill()
	}
	return t.result, errors.Join(err, cmd.Process.Release())
}

// A tracee is a program that runs under Run.
type tracee struct {
	pid      int
	moment   int
	result   Result
	threads  map[int]*thread
	writable map[uint64]bool // descriptors of files that were opened for writing
}

// A thread is a thread of a tracee.
type thread struct {
	call  entry  // the present system call
	name  string // the call's name
	count bool   // whether the call counts
}

// entry is a system call's number and arguments.
type entry struct {
	nr   uint64
	args [6]uint64
}

// trace runs the program until it ends or is killed at its moment.
func (t *tracee) trace() error {
	var status unix.WaitStatus
	if _, err := wait(t.pid, &status); err != nil { // for the stop at its execve
		return err
	}
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return fmt.Errorf("%w: PTRACE_SETOPTIONS: %w", ErrNotPermitted, err)
	}
	t.threads[t.pid] = &thread{}
	for tid := t.pid; ; {
		signal, err := t.stopped(tid, status)
		if err != nil {
			return err
		}
		if t.result.Killed {
			t.kill()
			return nil
		}
		// A thread that was killed in the meantime cannot continue.
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("PTRACE_SYSCALL: %w", err)
		}
		if tid, err = t.next(&status); err != nil || tid == 0 {
			return err
		}
	}
}

// next waits until a thread has stopped and returns it; 0 if the program has ended.
func (t *tracee) next(status *unix.WaitStatus) (tid int, err error) {
	for {
		tid, err := wait(-t.pid, status)
		switch {
		case errors.Is(err, unix.ECHILD):
			return 0, nil
		case err != nil || status.Stopped():
			return tid, err
		case tid == t.pid:
			t.result.Code = status.ExitStatus() // -1: it did not exit
		}
		delete(t.threads, tid)
	}
}

// stopped handles a thread's stop, and returns the signal that the thread must get.
func (t *tracee) stopped(tid int, status unix.WaitStatus) (signal int, err error) {
	th, known := t.threads[tid]
	if !known {
		th = &thread{}
		t.threads[tid] = th
	}
	switch sig := status.StopSignal(); {
	case sig == unix.SIGTRAP|0x80:
		return 0, t.atCall(tid, th)
	case sig == unix.SIGTRAP: // the thread has started, or has started another one
		return 0, nil
	case sig == unix.SIGSTOP && !known: // the first stop of a new thread
		return 0, nil
	default:
		return int(sig), nil
	}
}

// atCall counts a call as it begins or ends.
func (t *tracee) atCall(tid int, th *thread) error {
	info, err := callInfo(tid)
	if err != nil {
		return err
	}
	when := "after"
	switch info.op {
	case unix.PTRACE_SYSCALL_INFO_ENTRY:
		when = "before"
		th.call = entry{info.data[0], [6]uint64(info.data[1:])}
		th.name, th.count = counted(&th.call, t.writable)
		if th.call.nr == unix.SYS_CLOSE { // from now on another file may get this descriptor
			delete(t.writable, th.call.args[0])
		}
	case unix.PTRACE_SYSCALL_INFO_EXIT:
		if fd := int64(info.data[0]); opensToWrite(&th.call) && fd >= 0 {
			t.writable[uint64(fd)] = true
		}
	default:
		return nil
	}
	if th.count {
		t.result.Moments++
	}
	if th.count && t.result.Moments == t.moment {
		t.result.Killed, t.result.Call = true, when+" "+th.name
	}
	return nil
}

// kill kills the program with all its threads, and waits until they have ended.
func (t *tracee) kill() {
	unix.Kill(t.pid, unix.SIGKILL) // an error means that it has ended
	var status unix.WaitStatus
	for {
		tid, err := wait(-t.pid, &status)
		if err != nil {
			return
		}
		if status.Stopped() {
			unix.PtraceSyscall(tid, 0) // an error means that it is being killed
		}
	}
}

// wait is wait4 for all threads of a process or, with a negative number, of a group.
func wait(pid int, status *unix.WaitStatus) (int, error) {
	for {
		tid, err := unix.Wait4(pid, status, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return tid, err
		}
	}
}

// syscallInfo is struct ptrace_syscall_info of linux/ptrace.h, which is the same for every processor. At the
// beginning of a call, data holds its number and arguments; at its end, its result.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	_    uint32 // of the processor
	_, _ uint64 // where the program is
	data [7]uint64
}

// callInfo reads the present system call of a stopped thread. It needs Linux 5.3.
func callInfo(tid int) (syscallInfo, error) {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	switch errno {
	case 0, unix.ESRCH: // the thread was killed in the meantime
		return info, nil
	case unix.EIO, unix.ENOSYS, unix.EPERM:
		return info, fmt.Errorf("%w: PTRACE_GET_SYSCALL_INFO: %w", ErrNotPermitted, errno)
	default:
		return info, fmt.Errorf("PTRACE_GET_SYSCALL_INFO: %w", errno)
	}
}
