package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Users copy the examples of --help. Each is a command line that the program accepts.
func TestExamples(t *testing.T) {
	t.Parallel()
	eachCommand((&app{}).command(), func(c *cobra.Command) {
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			words, ok := shellWords(line)
			if !ok || !strings.HasPrefix(line, "  strongroom ") || len(line) > 120 {
				t.Errorf("%s: the example is not a short command line of strongroom: %q", c.CommandPath(), line)
				continue
			}
			parseExample(t, c, words[1:])
		}
	})
}

// parseExample parses the words of an example of c with commands of their own, since flags keep their values.
func parseExample(t *testing.T, of *cobra.Command, words []string) {
	t.Helper()
	found, args, err := (&app{}).command().Find(words)
	if err != nil || !found.HasParent() || !strings.HasPrefix(found.CommandPath(), of.CommandPath()) {
		t.Errorf("%s: the example %q is one of %s: %v", of.CommandPath(), words, found.CommandPath(), err)
		return
	}
	if err := found.ParseFlags(args); err != nil {
		t.Errorf("%s: %q: %v", of.CommandPath(), words, err)
		return
	}
	if err := found.ValidateArgs(found.Flags().Args()); err != nil {
		t.Errorf("%s: %q: %v", of.CommandPath(), words, err)
	}
	for _, arg := range found.Flags().Args() {
		if _, _, err := selector(arg, ""); err != nil {
			t.Errorf("%s: %q: %v", of.CommandPath(), words, err)
		}
	}
}

// shellWords splits a command line as a shell does, up to a pipe or a redirection. ok is false if a quote is open.
func shellWords(line string) (words []string, ok bool) {
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, r := range line {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case r == quote:
			quote = 0
		case quote == 0 && (r == ' ' || r == '\n'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	if end := slices.IndexFunc(words, func(w string) bool { return w == "|" || w == ">" }); end >= 0 {
		words = words[:end]
	}
	return words, quote == 0 && len(words) > 1
}

// --help shows the examples of each command.
func TestHelpHasTheExamples(t *testing.T) {
	t.Parallel()
	eachCommand((&app{}).command(), func(c *cobra.Command) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		var out, errs strings.Builder
		if code := run(args, &out, &errs); code != exitDone || !strings.Contains(out.String(), "Examples:\n"+c.Example) {
			t.Errorf("%q: exit code %d, without the examples: %s%s", args, code, out.String(), errs.String())
		}
	})
}

// eachCommand calls do for the command and for all visible commands below it.
func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, below := range c.Commands() {
		if !below.Hidden {
			eachCommand(below, do)
		}
	}
}
