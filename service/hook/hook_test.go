package hook

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func run(t *testing.T, line string, timeout time.Duration, env ...string) error {
	t.Helper()
	return Run(t.Context(), Command{Line: line, Timeout: timeout, Env: env})
}

func TestRun(t *testing.T) {
	t.Parallel()
	if err := run(t, "exit 0", time.Minute); err != nil {
		t.Error(err)
	}
	err := run(t, "echo 'no\033[2J room' >&2; exit 7", time.Minute)
	if err == nil || !strings.Contains(err.Error(), `"echo" …: exit status 7; it printed: no`) || strings.Contains(err.Error(), "\033") {
		t.Errorf("%v", err)
	}
	if err := run(t, "no-such-command-here", time.Minute); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("%v", err)
	}
	if err := run(t, "head -c 10000000 /dev/zero | tr '\\0' x; exit 1", time.Minute); err == nil || len(err.Error()) > 2*maxOutput {
		t.Errorf("%v", err)
	}
}

// Arguments and variables of the command may hold a password; nothing shows them.
func TestArgumentsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"false --password=hunter2", "false\thunter2", "PASSWORD=hunter2 false", "PASSWORD='a hunter2' false",
		"PASSWORD=hunter2; false", "{ hunter2=x false; }", "false<<hunter2\nhunter2\n", "'false' hunter2",
	} {
		err := run(t, line, time.Minute)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("HOME", "/home/x")
	file := filepath.Join(t.TempDir(), "env")
	if err := run(t, "env > $FILE", time.Minute, "FILE="+file, "STRONGROOM_ARCHIVE=orders"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "STRONGROOM_ARCHIVE=orders\n") || !strings.Contains(got, "HOME=/home/x\n") || !strings.Contains(got, "PATH=") {
		t.Errorf("the environment is\n%s", got)
	}
}

// A command that takes too long is ended, with all processes that it started, also when it ignores
// the signal.
func TestTimeout(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	var b []byte
	for timeout := 300 * time.Millisecond; len(b) == 0; timeout *= 4 { // longer where it did not even begin
		start := time.Now()
		err := run(t, "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > $FILE; while :; do sleep 0.1; done' & wait; while :; do sleep 0.1; done", timeout, "FILE="+file)
		if err == nil || !strings.Contains(err.Error(), "took longer than "+timeout.String()) {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d > timeout+grace+20*time.Second {
			t.Errorf("it ended after %v", d)
		}
		if b, err = os.ReadFile(file); err != nil && timeout > 10*time.Second {
			t.Fatal(err)
		}
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	waitForEnd(t, pid)
}

func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := Run(ctx, Command{Line: "sleep 100", Timeout: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A command may leave something running, such as a snapshot's mount helper.
func TestLeavesSomethingRunning(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "done")
	if err := run(t, "sleep 30 & echo $! > $FILE", time.Minute, "FILE="+file); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("what it started is gone: %v", err)
	}
}

// The exit status is that of the command, and not of what holds its output, also if the time ends or the program is
// stopped while the output is open.
func TestStatusOfTheCommandItself(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{"7": "exit status 7; it printed: out", "0": ""} {
		dir := t.TempDir()
		shell, child := filepath.Join(dir, "shell"), filepath.Join(dir, "child")
		line := "sleep 30 & echo $! > $CHILD; echo out; echo $$ > $SHELL_PID; exit " + status
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Run(ctx, Command{Line: line, Timeout: time.Minute, Env: []string{"CHILD=" + child, "SHELL_PID=" + shell}})
		}()
		pid := pidIn(t, shell)
		for end := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the command does not end")
			}
		}
		cancel()
		got := ""
		if err := <-ended; err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("exit %s: %q", status, got)
		}
		if err := syscall.Kill(pidIn(t, child), syscall.SIGKILL); err != nil {
			t.Errorf("what it started is gone: %v", err)
		}
	}
}

// A process with a group or a session of its own is ended with the command, too.
func TestTimeoutReachesOtherGroups(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"setsid sh -c", "timeout 100 sh -c", "sh -m -c 'sleep 100 & echo $! > $FILE; wait' &"} {
		file := filepath.Join(t.TempDir(), "pid")
		line := start + ` 'echo $$ > $FILE; trap "" TERM; while :; do sleep 0.1; done' & wait`
		if strings.HasSuffix(start, "&") {
			line = start + " wait"
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, Command{Line: line, Timeout: time.Minute, Env: []string{"FILE=" + file}}) }()
		pid := pidIn(t, file)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", start, err)
		}
		waitForEnd(t, pid)
	}
}

// Only a drill's command ends with the program. The program is a child of this test, which kills it.
func TestEndsWithProgram(t *testing.T) {
	if file := os.Getenv("STRONGROOM_TEST_HOOK"); file != "" {
		line := "sh -c 'echo $$ > $FILE; while :; do sleep 0.1; done' & wait"
		_ = Run(context.Background(), Command{Line: line, Timeout: time.Minute, Env: []string{"FILE=" + file}, EndsWithProgram: true})
		return
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	c := exec.Command(os.Args[0], "-test.run=^TestEndsWithProgram$")
	c.Env = append(os.Environ(), "STRONGROOM_TEST_HOOK="+file)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, file)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	waitForEnd(t, pid)
}

// EndAll ends such a command at once, and no other.
func TestEndAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), Command{
			Line: "trap '' TERM; echo $$ > $FILE; while :; do sleep 0.1; done", Timeout: time.Minute,
			Env: []string{"FILE=" + file}, EndsWithProgram: true,
		})
	}()
	pidIn(t, file)
	for { // the command may run before Run has noted it
		EndAll()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("%v", err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// pidIn waits for a process's number in a file.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(b), "\n") {
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if time.Now().After(end) {
			t.Fatal("the command did not begin")
		}
	}
}

// waitForEnd waits until a process has ended.
func waitForEnd(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if state, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); strings.Contains(string(state), ") Z ") {
			return // dead, and no longer a child of any process
		}
		if time.Now().After(end) {
			t.Fatal("what it started lives on")
		}
	}
}

// What a drill's command leaves running would use the restored files, which are deleted, and their space for ever. It is
// ended although the command succeeded, also with a session of its own. What another command leaves stays.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{true, false} {
		file := filepath.Join(t.TempDir(), "pid")
		line := "setsid sh -c 'echo $$ > $FILE; while :; do sleep 0.1; done' > /dev/null 2>&1 & " +
			"while ! [ -s $FILE ]; do sleep 0.01; done"
		c := Command{Line: line, Timeout: time.Minute, Env: []string{"FILE=" + file}, LeavesNothing: leaves}
		if err := Run(t.Context(), c); err != nil {
			t.Error(err)
		}
		pid := pidIn(t, file)
		if !leaves {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("what it started is gone: %v", err)
			}
		}
		waitForEnd(t, pid)
	}
}

// A hook may start the database as a daemon, and then hang until its time-out: the daemon stays. A drill's daemon does
// not, since its files are deleted.
func TestADaemonOutlivesAHook(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{true, false} {
		dir := t.TempDir()
		file, began := filepath.Join(dir, "pid"), filepath.Join(dir, "began")
		line := "setsid sh -c 'echo $$ > $FILE; while :; do sleep 0.1; done' > /dev/null 2>&1 & " +
			"while ! [ -s $FILE ]; do sleep 0.01; done; echo $$ > $BEGAN; while :; do sleep 0.1; done"
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Run(ctx, Command{
				Line: "sh -c '" + strings.ReplaceAll(line, "'", `'"'"'`) + "' & while :; do sleep 0.1; done", Timeout: time.Minute,
				Env: []string{"FILE=" + file, "BEGAN=" + began}, LeavesNothing: ends,
			})
		}()
		daemon, starter := pidIn(t, file), pidIn(t, began)
		if err := syscall.Kill(starter, syscall.SIGKILL); err != nil { // the daemon has no parent of the session now
			t.Fatal(err)
		}
		waitForEnd(t, starter)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if !ends {
			if _, isAlive := readProcess(daemon); !isAlive { // a signal also reaches what has ended and has no parent
				t.Error("the daemon is gone")
			}
			_ = syscall.Kill(daemon, syscall.SIGKILL)
		}
		waitForEnd(t, daemon)
	}
}

// The environment of a process that is stuck cannot be read. It delays the end of a command for a short time only, and
// the environments of the command's own processes are not read. The test uses the bound that is common to all commands.
func TestStuckProcessesElsewhere(t *testing.T) {
	c := exec.Command("sleep", "100")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	synctest.Test(t, func(t *testing.T) {
		responds := make(chan struct{})
		var mu sync.Mutex
		reads := map[int]int{}
		s := &session{leader: c.Process.Pid, mark: "x=y", environ: func(pid int) ([]byte, error) {
			mu.Lock()
			reads[pid]++
			mu.Unlock()
			<-responds
			return []byte("x=y"), nil
		}}
		start := time.Now()
		if all := s.members(); len(all) != 1 || all[s.leader] == (process{}) {
			t.Errorf("the members are %v", all)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		start = time.Now()
		s.members()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("the second time it took %v", took)
		}
		mu.Lock()
		for pid, n := range reads {
			if pid == s.leader || n != 1 {
				t.Errorf("the environment of process %d was read %d times", pid, n)
			}
		}
		mu.Unlock()
		close(responds)
		synctest.Wait()
	})
}
