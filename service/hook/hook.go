// Package hook runs the user's commands before and after a snapshot.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	// grace is the time between SIGTERM and SIGKILL, which both go to the command's process group.
	grace = 3 * time.Second
	// maxOutput bounds the part of a command's output that an error shows, in bytes. It shows the end.
	maxOutput = 1 << 10
)

// A Command is a user's command with its limits.
type Command struct {
	Line    string        // the argument of sh -c
	Timeout time.Duration // positive
	Env     []string      // NAME=value, in addition to PATH, HOME, LANG and TZ
}

// Run runs a command and waits for it. The command gets a clean environment, without this process's variables such
// as a bucket's credentials. It has its own process group: a signal to this process does not reach it, and a
// time-out reaches all processes that it started. Run returns an error with the end of the output if the command
// cannot be started, fails, or exceeds its time-out.
func Run(ctx context.Context, c Command) error {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it took longer than %v and was ended", c.Timeout))
	defer cancel()
	var out tail
	cmd := exec.CommandContext(limited, "/bin/sh", "-c", c.Line)
	cmd.Env = append(environment(), c.Env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if limited.Err() != nil && cmd.Process != nil {
		// Kills processes that ignored SIGTERM; an error means that there are none.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		err = context.Cause(limited)
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it succeeded; a process that it started keeps its output open
		return nil
	case out.String() == "":
		return fmt.Errorf("%s: %w", shown(c.Line), err)
	}
	return fmt.Errorf("%s: %w; it printed: %s", shown(c.Line), err, out.String())
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
var plainWord = regexp.MustCompile(`^[\w./~@%+-]{1,100}$`)

// shown returns a command for an error message, without its arguments and variables, which may be secret.
func shown(line string) string {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case !plainWord.MatchString(word):
		return "the command"
	case rest != "":
		return fmt.Sprintf("%q …", word)
	}
	return fmt.Sprintf("%q", word)
}

// tail is a writer that keeps the last maxOutput bytes.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-maxOutput):]...)
	t.b = t.b[max(0, len(t.b)-maxOutput):]
	return len(p), nil
}

// String returns the text on one line, without control characters.
func (t *tail) String() string {
	s := strings.ToValidUTF8(string(bytes.TrimSpace(t.b)), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}
