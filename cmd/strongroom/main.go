// Command strongroom archives the log files of log-structured databases in a bucket. It proves
// that they are intact, and restores them from the bucket alone. docs/cli.md specifies its
// commands, exit codes and output.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // time zones for schedules, for systems without a database of their own

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/service/hook"
)

// gcPercent is half of Go's default. A large archive is many small, long-lived values, so more
// frequent collections save much memory for little time.
const gcPercent = 50

func main() {
	if os.Getpid() == 1 {
		if code, ok := runAsInit(); ok {
			os.Exit(code)
		}
	}
	debug.SetGCPercent(gcPercent)
	code := run(os.Args[1:], os.Stdout, os.Stderr)
	hook.EndAll() // of a run that did not end in time
	os.Exit(code)
}

// run runs the program and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	secrets := secretsOf(args)
	stderr = withoutSecrets(stderr, secrets)
	ctx, stop := interruptible(stderr)
	defer stop()
	out := &outputWriter{w: stdout}
	a := &app{stdout: out, stderr: stderr, secrets: secrets}
	root := a.command()
	root.SetArgs(args)
	root.SetErr(stderr)
	err := out.join(root.ExecuteContext(ctx))
	code := exitCode(ctx, err)
	switch {
	case code == exitInterrupted:
		fmt.Fprintln(stderr, "strongroom: interrupted; the same command continues from here")
	case err != nil:
		fmt.Fprintln(stderr, "strongroom: "+sanitizeTerminal(message(err)))
	}
	return code
}

// stopLimit is the time that a command has to end after a signal. An operation on a disk that hangs may never return.
// All that the program writes is safe from a kill at any time.
const stopLimit = 30 * time.Second

// interruptible returns a context that ends with the first SIGINT or SIGTERM. The second signal ends the program at
// once, and so does stopLimit.
func interruptible(stderr io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if isStuck := waitForEnd(signals, func() { cancel(errInterrupted) }); isStuck {
			reported := make(chan struct{})
			go func() { // standard error may be what does not return
				fmt.Fprintf(stderr, "strongroom: interrupted; an operation did not return within %s; is a disk, or a reader of the "+
					"output, hanging? The same command continues from here\n", stopLimit)
				close(reported)
			}()
			select {
			case <-reported:
			case <-signals:
			case <-time.After(time.Second):
			}
		}
		hook.EndAll()
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { signal.Stop(signals) }
}

// waitForEnd calls stop after the first signal. It returns when the program must end at once: after the second signal,
// or, with isStuck, after stopLimit.
func waitForEnd(signals <-chan os.Signal, stop func()) (isStuck bool) {
	<-signals
	stop()
	select {
	case <-signals:
		return false
	case <-time.After(stopLimit):
		return true
	}
}

const rootExample = `  strongroom demo
  strongroom backup --source /var/lib/orders file:///mnt/backup/orders
  strongroom list file:///mnt/backup/orders
  strongroom restore file:///mnt/backup/orders --to /var/lib/orders-restored
  strongroom run --config /etc/strongroom/strongroom.yaml`

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "strongroom",
		Short:         "Archives the log files of log-structured databases, provably intact",
		Example:       rootExample,
		Version:       tool(),
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		PersistentPreRunE: func(c *cobra.Command, args []string) error {
			if c.Name() == cobra.ShellCompRequestCmd { // a shell discards errors
				return nil
			}
			if err := checkEmpty(c.CommandPath(), args); err != nil {
				return err
			}
			a.ctx = c.Context()
			a.reads = c.Flags().Lookup("identity") != nil
			a.transfersGiven = c.Flags().Changed("transfers")
			return a.setUp()
		},
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				return usage("there is no command %q; did you mean %s?", shownArg(args[0]), strings.Join(near, " or "))
			}
			return usage("there is no command %q; strongroom --help lists them", shownArg(args[0]))
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		text := err.Error()
		if i := strings.Index(text, ": strconv."); i >= 0 { // the rest is a message of Go's strconv
			text = text[:i] + ": this is not a number"
		}
		return usage("%s; see strongroom %s --help", text, c.Name())
	})
	f := root.PersistentFlags()
	f.Var(pathFlag{&a.configFile}, "config", "configuration `FILE` (default: STRONGROOM_CONFIG, then "+
		"strongroom.yaml, then /etc/strongroom/strongroom.yaml)")
	f.BoolVar(&a.json, "json", false, "print JSON")
	f.StringVar(&a.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&a.logFormat, "log-format", "text", "text or json")
	f.IntVar(&a.transfers, "transfers", 0, "transfer `N` objects at a time (default: as configured, or 8)")
	f.StringVar(&a.bandwidth, "bandwidth", "", "send and receive at most `RATE`, such as 20MiB/s, or unlimited "+
		"(default: as configured)")
	f.BoolVar(&a.noProgress, "no-progress", false, "do not show progress")
	root.AddCommand(a.demoCommand(), a.initCommand(), a.checkCommand(), a.backupCommand(), a.listCommand(),
		a.showCommand(), a.diffCommand(), a.restoreCommand(), a.catCommand(), a.verifyCommand(), a.pruneCommand(),
		a.holdCommand(), a.releaseCommand(), a.copyCommand(), a.drillCommand(), a.archivedCommand(),
		a.inspectCommand(), a.runCommand(), a.statusCommand(), a.statsCommand(), a.confirmCommand(),
		a.pauseCommand(), a.resumeCommand(), a.versionCommand())
	root.AddCommand(a.buildCommands()...)
	root.SetOut(a.stdout) // the commands for completion keep it from here on
	a.addCompletion(root)
	return root
}
