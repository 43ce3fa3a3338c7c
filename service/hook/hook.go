// Package hook runs the user's commands before and after a snapshot, and those of drills.
package hook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	// grace is the time between SIGTERM and SIGKILL, which both go to the command and what it started.
	grace = 3 * time.Second
	// lastOutput is how long Run waits for the rest of the output after the command has ended. A process that it
	// started may keep the output open.
	lastOutput = time.Second
)

// A Command is a user's command with its limits.
type Command struct {
	Line    string        // the argument of sh -c
	Timeout time.Duration // positive
	Env     []string      // NAME=value, in addition to PATH, HOME, LANG and TZ

	// EndsWithProgram ends the command when this program ends, also when it is killed. Otherwise the command
	// continues: it may have to undo what an earlier one did.
	EndsWithProgram bool
	// LeavesNothing ends what the command has left running when it ends, too. It also ends daemons, which have left
	// the session and whose parents have ended. They are found by the variable STRONGROOM_COMMAND_ID.
	LeavesNothing bool
}

// Run runs a command and waits for it. The command gets a clean environment, without this process's variables such
// as a bucket's credentials. It has its own session: a signal to this process does not reach it. If ctx ends or the
// time is over, Run ends all processes of that session and their children. On systems without /proc it ends those of the
// command's process group.
//
// Run returns an error with the end of the output if the command cannot be started, fails, or exceeds its time-out.
// Only the exit status of the command itself counts, and not what it left running.
func Run(ctx context.Context, c Command) error {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it took longer than %v and was ended", c.Timeout))
	defer cancel()
	var out tail
	err := execute(limited, &c, &out)
	switch {
	case err == nil:
		return nil
	case out.String() == "":
		return fmt.Errorf("%s: %w", shown(c.Line), err)
	}
	return fmt.Errorf("%s: %w; it printed: %s", shown(c.Line), err, out.String())
}

// execute starts a command, and returns when it has ended or was ended.
func execute(ctx context.Context, c *Command, out *tail) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe for the output: %w", err)
	}
	defer from.Close()
	cmd := exec.Command("/bin/sh", "-c", c.Line)
	s := &session{environ: readEnviron}
	cmd.Env = append(environment(), c.Env...)
	if c.LeavesNothing { // another command may start a daemon, which has left the session to outlive it
		s.mark = mark + rand.Text()
		cmd.Env = append(cmd.Env, s.mark)
	}
	cmd.Stdout, cmd.Stderr = to, to // files, so that Wait waits for the command alone
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	to.Close()
	if err != nil {
		return fmt.Errorf("starting it: %w", err)
	}
	s.leader = cmd.Process.Pid
	if c.EndsWithProgram {
		release, err := s.guard()
		if err != nil {
			s.signal(syscall.SIGKILL)
			return errors.Join(err, cmd.Wait())
		}
		defer release()
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(out, from) // ends with the output, or with the deadline below
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
		s.hasEnded.Store(true)
	case <-ctx.Done():
		if syscall.Kill(s.leader, 0) == syscall.ESRCH { // it has ended before
			err = <-ended
			s.hasEnded.Store(true)
			break
		}
		s.end(ended)
		err = context.Cause(ctx)
	}
	if s.hasEnded.Load() && c.LeavesNothing {
		s.endRest()
	}
	if err != nil {
		waitFor(read)
	}
	_ = from.SetReadDeadline(time.Now()) // pipes have deadlines
	<-read
	return err
}

// waitFor waits for the rest of the output.
func waitFor(read <-chan struct{}) {
	limit := time.NewTimer(lastOutput)
	defer limit.Stop()
	select {
	case <-read:
	case <-limit.C:
	}
}

// environment returns the common environment of all commands.
func environment() []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	env := []string{"PATH=" + path}
	for _, name := range []string{"HOME", "LANG", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// plainWord matches a first word that is a program's name. It matches neither NAME=value nor a word that the shell
// expands.
var plainWord = regexp.MustCompile(`^[\w./~@%+-]+$`)

// longestWord bounds what an error message shows of a command, in bytes.
const longestWord = 100

// shown returns a command for an error message, without its arguments and variables, which may be secret.
func shown(line string) string {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case len(word) > longestWord || !plainWord.MatchString(word):
		return "the command"
	case rest != "":
		return fmt.Sprintf("%q …", word)
	}
	return fmt.Sprintf("%q", word)
}
