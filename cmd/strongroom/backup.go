package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source"
)

// backupFlags is what backup takes besides its archives.
type backupFlags struct {
	all    bool
	dir    string // --source: a backup without configuration
	layout source.LayoutOptions
	node   string

	compression string
	recipients  []string
	o           archive.BackupOptions
}

func (a *app) backupCommand() *cobra.Command {
	var b backupFlags
	c := &cobra.Command{
		Use:   "backup ARCHIVE... | --all | --source DIR URL",
		Short: "Make one snapshot now",
		Long: `Make one snapshot now, of archives in the configuration or, with --source, of a directory
into the archive at a URL. Only what is new is sent. When nothing has changed since the
newest snapshot, none is made.`,
		RunE: func(c *cobra.Command, args []string) error { return a.backupAll(c.Context(), &b, args) },
	}
	f := c.Flags()
	f.BoolVar(&b.all, "all", false, "every archive of the configuration")
	f.StringVar(&b.dir, "source", "", "back up this `DIR`, without configuration")
	layoutFlags(f, &b.layout)
	f.StringVar(&b.compression, "compression", "", "with --source: none, zstd, or zstd with a level, such as zstd:better")
	f.StringArrayVar(&b.recipients, "recipient", nil, "with --source: encrypt to this age public `KEY` (repeatable)")
	f.StringVar(&b.node, "node", "", "name of this node in the manifest (default: the configured one, else the host name)")
	f.BoolVar(&b.o.DryRun, "dry-run", false, "print the plan and write nothing")
	f.BoolVar(&b.o.Force, "force", false, "make a snapshot also when nothing has changed")
	f.BoolVar(&b.o.AcceptRollback, "accept-rollback", false, "go on although the source ends before the archive does")
	f.BoolVar(&b.o.TakeOver, "take-over", false, "go on although the source looks like another database's")
	return c
}

// layoutFlags say what is what in the directory of --source.
func layoutFlags(f *pflag.FlagSet, o *source.LayoutOptions) {
	f.StringVar(&o.Name, "layout", "", "with --source: je, noxu, bdb, segments or files (default: detected)")
	f.StringVar(&o.Pattern, "pattern", "", "with --source and layout segments or files: `RE` that a name must match")
	f.IntVar(&o.Base, "base", 0, "with --source and layout segments: base of the sequence in the name, 10 or 16")
	f.StringVar(&o.Closed, "closed", "", "with --source and layout segments: all-but-newest or quiet")
	f.Var(durationFlag{&o.Quiet}, "quiet", "with --source: closed is what has not changed for this long")
	f.BoolVar(&o.NoTail, "no-tail", false, "with --source: leave out the file that is being written")
	f.BoolVar(&o.NoEntries, "no-entries", false, "with --source and layout je or noxu: do not check the log's entries")
}

// A job is one backup to make: from where, into which archive.
type job struct {
	name, url string
	settings  settings
	dir       string
	layout    source.LayoutOptions
	o         archive.BackupOptions

	before, after  string // commands; empty: none
	commandTimeout time.Duration
}

func (a *app) backupAll(ctx context.Context, b *backupFlags, args []string) error {
	jobs, err := a.jobs(b, args)
	if err != nil {
		return err
	}
	reports := []backupReport{}
	var failed []error
	for _, j := range jobs {
		r, err := a.backup(ctx, &j)
		if err != nil {
			failed = append(failed, about(j.name, j.name, err))
			reports = append(reports, backupReport{Name: j.name, Changed: []archive.Changed{}, Damaged: []string{}, LeftOut: []string{}, Warnings: []string{}, Error: err.Error()})
			if ctx.Err() != nil {
				break
			}
			continue
		}
		reports = append(reports, *r)
		if n := len(r.Damaged); n > 0 {
			failed = append(failed, fmt.Errorf("%s: %s, such as %s: %w", j.name, plural(int64(n), "log file"), r.Damaged[0], errLogDamaged))
		}
		if n := len(r.LeftOut); n > 0 {
			failed = append(failed, fmt.Errorf("%s: %s, such as %s: %w", j.name, plural(int64(n), "log file"), r.LeftOut[0], errLogLeftOut))
		}
	}
	err = a.print(reports, func(w io.Writer) error {
		for i := range reports {
			reports[i].print(w)
		}
		return nil
	})
	return errors.Join(append(failed, err)...)
}

// jobs sorts out which backups the command line asks for.
func (a *app) jobs(b *backupFlags, args []string) ([]job, error) {
	if b.dir != "" {
		if len(args) != 1 || !isURL(args[0]) || b.all {
			return nil, usage("--source takes one URL to back up to, such as: strongroom backup --source %s file:///backups/%s", b.dir, filepath.Base(b.dir))
		}
		j, err := adHoc(b, args[0])
		if err == nil {
			j.settings.stateDir, err = a.configuredState()
		}
		j.settings.database, j.settings.compression, j.settings.recipients = j.dir, b.compression, b.recipients
		return []job{j}, err
	}
	if b.compression != "" || len(b.recipients) > 0 {
		return nil, usage("--compression and --recipient go with --source; else the configuration says it")
	}
	if b.layout != (source.LayoutOptions{}) {
		return nil, usage("--layout, --pattern, --base, --closed, --quiet, --no-tail and --no-entries go with --source; else the configuration says it")
	}
	if b.all == (len(args) > 0) {
		return nil, usage("name archives of the configuration, or use --all; or back up a directory with --source DIR URL")
	}
	args, err := a.orAll(args)
	if err != nil {
		return nil, err
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, name := range args {
		if isURL(name) {
			return nil, usage("%s is a URL; say with --source DIR what to back up to it", providers.Redact(name))
		}
		one, err := named(c, name)
		if err != nil {
			return nil, err
		}
		j := configured(c, one, b.o)
		if b.node != "" {
			j.o.Node = b.node
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// adHoc is a backup without configuration.
func adHoc(b *backupFlags, url string) (job, error) {
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return job{}, fmt.Errorf("the source %s: %w", b.dir, err)
	}
	if i := strings.LastIndexByte(url, '@'); i > strings.LastIndexByte(url, '/') {
		return job{}, usage("%s: a backup makes a new snapshot, so the address takes no %s", shortName(url), url[i:])
	}
	o := b.o
	o.Tool = tool()
	if o.Node = b.node; o.Node == "" {
		o.Node, err = os.Hostname()
	}
	return job{name: shortName(url), url: url, dir: dir, layout: b.layout, o: o}, err
}

// configured is a backup by the configuration.
func configured(c *config.Config, one *config.Archive, o archive.BackupOptions) job {
	s := &one.Source
	o.Tool, o.Node = tool(), one.Node
	return job{
		name: one.Name, url: one.Destination, settings: settingsOf(c, one), o: o, dir: s.Dir,
		layout: source.LayoutOptions{
			Name: s.Layout, Pattern: s.Pattern, Base: s.Base, Closed: s.Closed, Quiet: s.Quiet, NoTail: s.Tail == "exclude",
			NoEntries: s.Entries == "ignore",
		},
		before: s.Before, after: s.After, commandTimeout: s.CommandTimeout,
	}
}

func tool() string { return "strongroom " + version }

// openSource opens the directory of log files, finding out the layout if nobody says it.
func (j *job) openSource() (*source.Directory, error) {
	if err := apart(j.dir, j.url, "the source"); err != nil {
		return nil, err
	}
	o := j.layout
	if o.Name == "" {
		found, err := source.Detect(j.dir)
		if err != nil {
			return nil, err
		}
		o.Name = found.Name()
	}
	layout, err := source.NewLayout(o)
	if err != nil {
		return nil, usageError{err}
	}
	return source.Open(j.dir, layout)
}

func (a *app) backup(ctx context.Context, j *job) (_ *backupReport, err error) {
	to, err := a.openURL(ctx, j.name, j.url, j.settings)
	if err != nil {
		return nil, err
	}
	defer to.close(&err)
	stop := a.watch(ctx, "backup", to.progress)
	res, err := j.run(ctx, to, a.log)
	stop()
	if res != nil {
		a.warn(to.name, res)
	}
	if err != nil {
		return nil, err
	}
	return reportBackup(to.name, j.o.DryRun, res), nil
}

func (a *app) warn(name string, res *archive.BackupResult) {
	for _, w := range res.Warnings {
		a.log.Warn(w, "archive", name)
	}
	for _, f := range res.Changed {
		a.log.Warn("a closed log file has changed since the last snapshot; both versions are kept", "archive", name, "file", f.Name, "change", f.Kind)
	}
	if n := len(res.Damaged); n > 0 {
		a.log.Error("log files of the source are damaged and archived as they are; strongroom inspect FILE shows where", "archive", name,
			"files", res.Damaged[:min(n, 20)], "count", n)
	}
}

// backupReport is what backup prints of one archive.
type backupReport struct {
	Name      string            `json:"archive_name"`
	Committed bool              `json:"committed"`
	Snapshot  *manifest.Summary `json:"snapshot"`
	Sent      int               `json:"sent"`
	SentBytes int64             `json:"sent_bytes"`
	Adopted   int               `json:"adopted"`
	Changed   []archive.Changed `json:"changed"`
	Damaged   []string          `json:"damaged"`
	LeftOut   []string          `json:"left_out"`
	Warnings  []string          `json:"warnings"`
	MS        int64             `json:"ms"`
	Plan      *backupPlan       `json:"plan,omitempty"`  // of a dry run
	Error     string            `json:"error,omitempty"` // why it failed; then the rest says nothing
}

type backupPlan struct {
	Keep    int      `json:"keep"`
	Upload  []string `json:"upload"`
	Bytes   int64    `json:"upload_bytes"`
	Removed []string `json:"removed"`
	Changed []string `json:"looks_changed"`
}

func reportBackup(name string, dryRun bool, res *archive.BackupResult) *backupReport {
	r := &backupReport{
		Name: name, Committed: res.Committed, Snapshot: res.Snapshot, Sent: res.Sent, SentBytes: res.SentBytes,
		Adopted: res.Adopted, Changed: append([]archive.Changed{}, res.Changed...), Damaged: list(res.Damaged), LeftOut: list(res.LeftOut), Warnings: list(res.Warnings), MS: res.Took.Milliseconds(),
	}
	if dryRun {
		r.Plan = &backupPlan{Keep: len(res.Plan.Keep), Removed: list(res.Plan.Removed), Changed: list(res.Plan.Changed), Upload: []string{}}
		for _, f := range res.Plan.Upload {
			r.Plan.Upload = append(r.Plan.Upload, f.Name)
			r.Plan.Bytes += f.Size
		}
	}
	return r
}

func (r *backupReport) print(w io.Writer) {
	switch {
	case r.Error != "": // standard error has it
	case r.Plan != nil:
		fmt.Fprintf(w, "%s: would read %s (%s), keep %d, drop %d; what the archive holds already is not sent\n",
			r.Name, plural(len(r.Plan.Upload), "file"), size(r.Plan.Bytes), r.Plan.Keep, len(r.Plan.Removed))
		lines(w, "  + ", r.Plan.Upload, 50)
		lines(w, "  - ", r.Plan.Removed, 50)
	case !r.Committed:
		fmt.Fprintf(w, "%s: nothing has changed since snapshot %d of %s; no new one was made\n", r.Name, r.Snapshot.Sequence, stamp(r.Snapshot.Created))
	default:
		c := &r.Snapshot.Counts
		fmt.Fprintf(w, "%s: snapshot %d: %s, %s, through %s; sent %s (%s)", r.Name, r.Snapshot.Sequence, plural(c.Files, "file"), size(c.Bytes),
			through(r.Snapshot), plural(r.Sent, "file"), size(r.SentBytes))
		if r.Adopted > 0 {
			fmt.Fprintf(w, "; %d were there already, from an attempt that was broken off", r.Adopted)
		}
		fmt.Fprintf(w, "; %d ms\n", r.MS)
	}
}
