package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/hook"
)

func (a *app) drillCommand() *cobra.Command {
	var which string
	var given config.Drill
	var thaw thawFlags
	c := &cobra.Command{
		Use:   "drill ARCHIVE[@S]",
		Short: "Test restore a snapshot, and run your own check of it",
		Long: `Restore a snapshot to a scratch directory, run a command against it, record the result in
the archive, and remove the directory. The command is that of the configuration or of
--command, with {dir} for the restored directory. The drill fails if the command exits with
another code than 0. Without a command, the drill fails if a file was damaged when it was
archived. Exit code 3 if the drill failed.`,
		Example: `  strongroom drill orders
  strongroom drill orders@42 --command 'java -jar je.jar DbVerify -h {dir}'`,
		Args: exactArgs(1, "drill ARCHIVE[@S]"),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := thaw.options(c)
			if err != nil {
				return err
			}
			return a.drill(c.Context(), args[0], which, given, o, thaw.days)
		},
	}
	snapshotArgs(c, &which)
	a.identityFlag(c)
	thaw.add(c)
	f := c.Flags()
	f.StringVar(&given.Command, "command", "", "the `COMMAND` for sh, such as "+
		"\"java -jar je.jar DbVerify -h {dir}\" (default: the configured one)")
	f.Var(pathFlag{&given.Scratch}, "scratch", "restore below this `DIR` "+
		"(default: the configured one, TMPDIR, or /tmp)")
	f.Var(durationFlag{&given.Timeout}, "timeout", "how long the command may take (default: the configured time, or 4h)")
	return c
}

func (a *app) drill(
	ctx context.Context, arg, which string, d config.Drill, thaw *archive.ThawOptions, thawDays int,
) (err error) {
	where, _, err := selector(arg, which)
	if err != nil {
		return err
	}
	database := ""
	if !isURL(where) {
		c, err := a.config()
		if err != nil {
			return err
		}
		one, err := namedArchive(c, where)
		if err != nil {
			return err
		}
		database = one.Source.Dir
		if s := one.Drill; s != nil {
			d.Command, d.Scratch, d.Timeout = cmp.Or(d.Command, s.Command), cmp.Or(d.Scratch, s.Scratch), cmp.Or(d.Timeout, s.Timeout)
			if len(a.identities) == 0 && s.IdentityFile != "" {
				a.identities = []string{s.IdentityFile}
			}
		}
	}
	from, m, err := a.snapshot(ctx, arg, which)
	if err != nil {
		return err
	}
	defer from.close(&err)
	stop := a.watch(ctx, "drill", from.progress)
	options := drillOptions(from.name, database, d)
	options.Thaw = thaw
	r, failed := from.Drill(ctx, m, options)
	stop()
	if r.Unproven != "" {
		a.log.Warn("the result of the drill is not recorded in the archive", "archive", from.name, "error", r.Unproven)
	}
	if r.Left != "" {
		a.log.Warn("the restored files could not be removed", "archive", from.name, "error", r.Left)
	}
	if r.Restored != nil && len(r.Restored.Damaged) > 0 {
		a.log.Warn("files of this snapshot were damaged when they were archived",
			"archive", from.name, "files", r.Restored.Damaged)
	}
	if failed != nil {
		failed = a.priceFrozen(from.url, about(from.name, from.name, failed), thawDays)
	}
	if failed != nil && r.Restored == nil {
		return failed
	}
	report := drilled{from.name, r.Snapshot, failed == nil, d.Command, r.Restored.Files, r.Restored.Bytes, r.Took.Milliseconds(), ""}
	if failed != nil {
		report.Error = failed.Error()
	}
	if err := a.print(report, report.print); err != nil {
		return err
	}
	return failed
}

type drilled struct {
	Name     string `json:"archive_name"`
	Snapshot int64  `json:"snapshot"`
	OK       bool   `json:"ok"`
	Command  string `json:"command"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	MS       int64  `json:"ms"`
	Error    string `json:"error"`
}

func (d drilled) print(w io.Writer) error {
	if !d.OK {
		return nil // the returned error reports it
	}
	checked := "each file checked against its hash"
	if d.Command != "" {
		checked += ", and the command succeeded"
	}
	_, err := fmt.Fprintf(w, "%s: drill of snapshot %d: %s, %s, %s, in %d ms\n",
		d.Name, d.Snapshot, plural(d.Files, "file"), size(d.Bytes), checked, d.MS)
	return err
}

func drillOptions(name, database string, d config.Drill) archive.DrillOptions {
	o := archive.DrillOptions{Scratch: d.Scratch, Command: d.Command, Tool: tool(), Database: database}
	if d.Command != "" {
		o.Check = func(ctx context.Context, dir string) error {
			line := strings.ReplaceAll(d.Command, "{dir}", shellWord(dir))
			env := []string{"STRONGROOM_ARCHIVE=" + name, "STRONGROOM_DIR=" + dir}
			return hook.Run(ctx, hook.Command{
				Line: line, Timeout: cmp.Or(d.Timeout, config.DefaultDrillTimeout), Env: env, EndsWithProgram: true,
				LeavesNothing: true, // the directory that it uses is deleted
			})
		}
	}
	return o
}

// drillKept runs a drill of the newest snapshot for the service.
func (a *app) drillKept(ctx context.Context, to *openArchive, database string, d config.Drill) (*archive.DrillReport, error) {
	defer hold(to.bucket)()
	m, err := to.Snapshot(ctx, archive.Selector{})
	if err != nil {
		return &archive.DrillReport{Started: time.Now()}, err
	}
	x := to.Archive
	if d.IdentityFile != "" { // the service itself has no identities
		ids, err := encoding.LoadIdentities(ctx, d.IdentityFile)
		if err != nil {
			return &archive.DrillReport{Started: time.Now()}, err
		}
		x = x.WithDecoder(encoding.NewDecoder(ids...))
	}
	return x.Drill(ctx, m, drillOptions(to.name, database, d))
}
