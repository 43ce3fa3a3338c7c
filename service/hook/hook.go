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
	// grace is how long a command has to end after it was told to (SIGTERM), before it is
	// killed with all that it started.
	grace = 3 * time.Second
	// maxOutput is how much of a command's output an error shows, in bytes: its end.
	maxOutput = 1 << 10
)

// A Command is what runs, and for how long at the most.
type Command struct {
	Line    string        // for sh -c
	Timeout time.Duration // positive
	Env     []string      // NAME=value, besides PATH, HOME, LANG and TZ
}

// Run runs a command and waits for it. Its environment is a clean one: what this process
// has, such as the credentials of a bucket, is not the command's. It has a process group of
// its own, so that a signal to this process does not reach it, and a time-out reaches all
// that it started. It returns an error if the command cannot be started, fails, or takes
// too long, with the end of what it printed.
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
		// Whatever ignored the signal; an error says that nothing did.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		err = context.Cause(limited)
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it ended well; what it left running holds its output
		return nil
	case out.String() == "":
		return fmt.Errorf("%s: %w", shown(c.Line), err)
	}
	return fmt.Errorf("%s: %w; it printed: %s", shown(c.Line), err, out.String())
}

// environment is what every command gets.
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

// plainWord is a first word that is the name of a program, and neither NAME=value nor
// something that the shell makes another thing of.
var plainWord = regexp.MustCompile(`^[\w./~@%+-]{1,100}$`)

// shown is a command as an error shows it: its arguments, and what is set for it, may be
// secret.
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

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-maxOutput):]...)
	t.b = t.b[max(0, len(t.b)-maxOutput):]
	return len(p), nil
}

// String is the text on one line, without what a terminal would obey.
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
