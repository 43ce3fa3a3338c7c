package hook

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A session is the processes that a command has started. Its leader is the command's shell.
type session struct {
	leader   int
	hasEnded atomic.Bool // the leader; its number may be another process's
	mark     string      // NAME=value, which the environment of each process has; empty: what left the session stays

	environ func(pid int) ([]byte, error) // reads the environment of a process
}

// mark begins the mark of a session. It finds processes that have left the session, and whose parents have ended.
const mark = "STRONGROOM_COMMAND_ID="

const (
	lookEvery = 20 * time.Millisecond // while processes end
	maxKills  = 100                   // rounds of SIGKILL: a process may start others before it ends
	markLimit = time.Second           // for the read of an environment, which waits for a process that is stuck
)

// end ends the processes of the session: with SIGTERM, and those left after the grace with SIGKILL. It returns when
// the leader has ended, or when even SIGKILL does not end it, as while its disk hangs.
func (s *session) end(ended <-chan error) {
	before := s.members() // their parents end first
	s.signal(syscall.SIGTERM)
	limit := time.Now().Add(grace)
	isEnded := false
	for time.Now().Before(limit) && !(isEnded && !s.isAlive(before)) {
		select {
		case <-ended:
			isEnded = true
			ended = nil
		case <-time.After(lookEvery):
		}
	}
	for range maxKills {
		s.signal(syscall.SIGKILL)
		kill(before, syscall.SIGKILL)
		if !s.isAlive(before) {
			break
		}
		time.Sleep(lookEvery)
	}
	if !isEnded {
		select {
		case <-ended:
		case <-time.After(grace):
		}
	}
}

// endRest ends what is left of the session after its leader has ended.
func (s *session) endRest() {
	if len(s.members()) == 0 {
		return
	}
	ended := make(chan error)
	close(ended)
	s.end(ended)
}

// signal sends a signal to all processes of the session. An error means that there are none.
func (s *session) signal(which syscall.Signal) {
	all := s.members()
	if !s.hasEnded.Load() {
		_ = syscall.Kill(-s.leader, which)
	}
	kill(all, which)
}

// isAlive reports whether a process with its number has not ended. One with another start is another process.
func (p process) isAlive(pid int) bool {
	is, ok := readProcess(pid)
	return ok && is.start == p.start
}

// kill sends a signal to processes.
func kill(all map[int]process, which syscall.Signal) {
	for pid, was := range all {
		if was.isAlive(pid) {
			_ = syscall.Kill(pid, which)
		}
	}
}

// isAlive reports whether a process of the session, or one of these, has not ended.
func (s *session) isAlive(these map[int]process) bool {
	for pid, was := range these {
		if was.isAlive(pid) {
			return true
		}
	}
	return len(s.members()) > 0
}

// process is what /proc shows of a process that has not ended.
type process struct {
	parent, session int
	start           string // in clock ticks since the boot
}

// members returns the processes of the session and all their children, also those with a session of their own. With a
// mark it also returns those that have it. It returns none on systems without /proc.
func (s *session) members() map[int]process {
	others, found := allProcesses(), map[int]process{}
	take := func(pid int) {
		found[pid] = others[pid]
		delete(others, pid)
	}
	for pid, p := range others {
		if pid == s.leader && !s.hasEnded.Load() || p.session == s.leader {
			take(pid)
		}
	}
	takeChildren(others, found, take)
	if s.mark == "" {
		return found
	}
	for pid := range others {
		if s.isMarked(pid) {
			take(pid)
		}
	}
	takeChildren(others, found, take)
	return found
}

// takeChildren calls take for the children of what was found, and for theirs.
func takeChildren(others, found map[int]process, take func(pid int)) {
	for isNew := true; isNew; {
		isNew = false
		for pid, p := range others {
			if _, isChild := found[p.parent]; isChild {
				take(pid)
				isNew = true
			}
		}
	}
}

// isMarked reports whether a process has inherited the session's mark. It reports false if the process is stuck.
func (s *session) isMarked(pid int) bool {
	name := "/proc/" + strconv.Itoa(pid) + "-environ" // counts what hangs by process, within one bound for all
	env, err := disk.Within(context.Background(), name, markLimit, func() ([]byte, error) { return s.environ(pid) })
	return err == nil && bytes.Contains(env, []byte(s.mark)) // another user's process has another mark or none
}

func readEnviron(pid int) ([]byte, error) {
	return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
}

func allProcesses() map[int]process {
	all := map[int]process{}
	dir, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read is used
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all[pid] = p
		}
	}
	return all
}

// readProcess returns what /proc shows of a process, and false if it has ended.
func readProcess(pid int) (process, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// The name in parentheses may hold anything. Behind it are state, parent, group, session and so on.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || string(fields[0]) == "Z" || string(fields[0]) == "X" {
		return process{}, false
	}
	parent, _ := strconv.Atoi(string(fields[1])) // numbers, as the kernel writes them
	session, _ := strconv.Atoi(string(fields[3]))
	return process{parent, session, string(fields[19])}, true
}

// guarded are the sessions that end with this program.
var guarded struct {
	sync.Mutex
	all map[*session]bool
}

// EndAll ends the commands that end with the program, at once. The program calls it before it exits.
func EndAll() {
	guarded.Lock()
	defer guarded.Unlock()
	for s := range guarded.all {
		s.signal(syscall.SIGKILL)
	}
}

// guard makes the session end with this program until release is called. If the program is killed, another process
// ends the command's process group: its input ends with the program.
func (s *session) guard() (release func(), err error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe for the guard: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", `trap "" HUP INT TERM; read -r _ || kill -s KILL -- "-$1"`, "sh", strconv.Itoa(s.leader))
	cmd.Env, cmd.Stdin = environment(), from
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	from.Close()
	if err != nil {
		to.Close()
		return nil, fmt.Errorf("starting the guard of the command: %w", err)
	}
	guarded.Lock()
	defer guarded.Unlock()
	if guarded.all == nil {
		guarded.all = map[*session]bool{}
	}
	guarded.all[s] = true
	return func() {
		guarded.Lock()
		delete(guarded.all, s)
		guarded.Unlock()
		_, _ = to.WriteString("done\n") // an error means that the guard has ended
		to.Close()
		_ = cmd.Wait()
	}, nil
}
