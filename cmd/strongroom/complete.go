package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/disk"
)

// completeLimit bounds a completion. A shell waits for it at each press of the tab key, and a disk may hang.
const completeLimit = 2 * time.Second

// addCompletion adds the commands that print completion scripts, and what the scripts complete.
func (a *app) addCompletion(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Example = "  strongroom help restore"
		case "completion":
			c.Args = nil
			c.RunE = func(*cobra.Command, []string) error {
				return usage("name a shell: strongroom completion bash, fish, powershell or zsh")
			}
			c.Example = "  strongroom completion bash > /etc/bash_completion.d/strongroom"
			for _, shell := range c.Commands() {
				shell.Example = "  strongroom completion " + shell.Name()
			}
		default:
			c.ValidArgsFunction = a.argumentsOf(c)
			c.Flags().VisitAll(func(f *pflag.Flag) { a.completeFlag(c, f) })
		}
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { a.completeFlag(root, f) })
}

// argumentsOf returns the completion of a command's arguments, from its usage line. A name ends in "@" if the command
// needs a snapshot.
func (a *app) argumentsOf(c *cobra.Command) cobra.CompletionFunc {
	words := strings.Fields(strings.NewReplacer("[@S]", "", "[", " ", "]", " ", "|", " ").Replace(c.Use))[1:]
	if end := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") }); end >= 0 {
		words = words[:end]
	}
	return func(c *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		word := ""
		if n := len(words); len(args) < n || n > 0 && strings.HasSuffix(words[n-1], "...") {
			word = words[min(len(args), n-1)]
		}
		switch {
		case c.Flags().Changed("source") && c.Name() != "archived": // a URL follows
		case strings.HasPrefix(word, "ARCHIVE@") && !c.Flags().Changed("snapshot"):
			return a.namesFor(nil, part, "@"), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		case strings.HasPrefix(word, "ARCHIVE"):
			return a.namesFor(args, part, ""), cobra.ShellCompDirectiveNoFileComp
		case strings.HasPrefix(word, "FILE") && c.Name() != "cat": // cat's file is one of the archive
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// choices are the values of flags that have few.
var choices = map[string][]string{
	"layout":      {"je", "noxu", "bdb", "segments", "files"},
	"closed":      {"all-but-newest", "quiet"},
	"base":        {"10", "16"},
	"compression": {"none", "zstd", "zstd:fastest", "zstd:normal", "zstd:better", "zstd:best"},
	"log-level":   {"debug", "info", "warn", "error"},
	"log-format":  {"text", "json"},
}

// completeFlag sets what completes the value of a flag.
func (a *app) completeFlag(c *cobra.Command, f *pflag.Flag) {
	complete := cobra.NoFileCompletions
	switch name := f.Name; {
	case choices[name] != nil:
		complete = cobra.FixedCompletions(choices[name], cobra.ShellCompDirectiveNoFileComp)
	case name == "from", name == "to" && c.Name() == "copy":
		complete = func(_ *cobra.Command, _ []string, part string) ([]string, cobra.ShellCompDirective) {
			return a.namesFor(nil, part, ""), cobra.ShellCompDirectiveNoFileComp
		}
	case name == "source", name == "scratch", name == "dir", name == "to":
		complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case name == "config":
		complete = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
	case name == "identity":
		complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	if err := c.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
		c.PrintErrln(fmt.Errorf("completion of --%s: %w", f.Name, err))
	}
}

// namesFor returns the names of the configuration's archives that begin with part, except those in the arguments. Each
// has the end.
func (a *app) namesFor(args []string, part, end string) []string {
	var all []string
	for _, name := range a.archiveNames() {
		if strings.HasPrefix(name, part) && !slices.Contains(args, name) {
			all = append(all, name+end)
		}
	}
	return all
}

// archiveNames returns the names of the configuration's archives, or none if it cannot read them in time: a completion
// shows no error. It reads no pipe, since the command itself needs the content.
func (a *app) archiveNames() []string {
	ctx, cancel := context.WithTimeout(context.Background(), completeLimit)
	defer cancel()
	names, err := disk.Within(ctx, "the configuration", completeLimit, func() ([]string, error) {
		file, err := a.findConfig()
		if err != nil {
			return nil, err
		}
		content, _, err := disk.ReadSetting(ctx, file, config.MaxSize)
		return config.Names(content), err
	})
	if err != nil {
		return nil
	}
	return names
}
