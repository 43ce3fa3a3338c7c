package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// backupFlags are the flags of backup.
type backupFlags struct {
	all    bool
	dir    string // --source: a backup without configuration
	layout source.LayoutOptions
	encode encodeFlags
	node   string
	o      archive.BackupOptions
}

// encodeFlags describe how a backup with --source encodes files.
type encodeFlags struct {
	compression string
	recipients  []string
}

func (e *encodeFlags) add(f *pflag.FlagSet) {
	f.StringVar(&e.compression, "compression", "", "with --source: none, zstd, or zstd with a level, such as zstd:better")
	f.StringArrayVar(&e.recipients, "recipient", nil, "with --source: encrypt to this age public `KEY` (repeatable)")
}

// needsSource returns an error if a flag is given that describes the directory of --source.
func needsSource(layout *source.LayoutOptions, e *encodeFlags) error {
	if e.compression != "" || len(e.recipients) > 0 {
		return usage("--compression and --recipient need --source; otherwise set them in the configuration")
	}
	if *layout != (source.LayoutOptions{}) {
		return usage("--layout, --pattern, --base, --closed, --quiet, --no-tail and --no-entries need --source; " +
			"otherwise set them in the configuration")
	}
	return nil
}

func (a *app) backupCommand() *cobra.Command {
	var b backupFlags
	c := &cobra.Command{
		Use:   "backup ARCHIVE... | --all | --source DIR URL",
		Short: "Make one snapshot now",
		Long: `Make one snapshot now: of archives in the configuration or, with --source, of a directory
into the archive at a URL. Only new content is sent. If no file has changed since the
newest snapshot, no snapshot is made.`,
		Example: `  strongroom backup orders
  strongroom backup --all --dry-run
  strongroom backup --source /var/lib/orders --compression zstd 's3://backups/orders?region=eu-central-1'
  strongroom backup --source /var/lib/app --layout segments --pattern '([0-9]+)\.wal' file:///mnt/backup/app`,
		RunE: func(c *cobra.Command, args []string) error { return a.backupAll(c.Context(), &b, args) },
	}
	f := c.Flags()
	f.BoolVar(&b.all, "all", false, "every archive of the configuration")
	f.Var(pathFlag{&b.dir}, "source", "back up this `DIR`, without configuration")
	layoutFlags(f, &b.layout)
	b.encode.add(f)
	f.StringVar(&b.node, "node", "", "name of this node in the manifest (default: the configured one, else the host name)")
	f.BoolVar(&b.o.DryRun, "dry-run", false, "print the plan and write nothing")
	f.BoolVar(&b.o.Force, "force", false, "make a snapshot even if no file has changed")
	acceptFlag(f, &b.o.Acceptance, manifest.GuardRollback, "back up although the source ends before the archive does")
	acceptFlag(f, &b.o.Acceptance, manifest.GuardTakeOver, "back up although the source looks like another database's")
	acceptFlag(f, &b.o.Acceptance, manifest.GuardMissing, "back up although closed log files are missing")
	acceptFlag(f, &b.o.Acceptance, manifest.GuardFork, "back up although the source and the archive have different histories")
	acceptFlag(f, &b.o.Acceptance, manifest.GuardNested, "begin an archive although another one seems to lie within or around it")
	confirmFlag(f, &b.o.Acceptance)
	return c
}

// layoutFlags adds the flags that describe the layout of the directory of --source.
func layoutFlags(f *pflag.FlagSet, o *source.LayoutOptions) {
	f.StringVar(&o.Name, "layout", "", "with --source: je, noxu, bdb, segments or files (default: detected)")
	f.StringVar(&o.Pattern, "pattern", "", "with --source and layout segments or files: `RE` that a name must match")
	f.IntVar(&o.Base, "base", 0, "with --source and layout segments: base of the sequence in the name, 10 or 16")
	f.StringVar(&o.Closed, "closed", "", "with --source and layout segments: all-but-newest or quiet")
	f.Var(quietFlag{o}, "quiet", "with --source: a file is closed if it has not changed for this long; "+
		"0s: every file is, as in a checkpoint")
	f.BoolVar(&o.NoTail, "no-tail", false, "with --source: leave out the file that is being written")
	f.BoolVar(&o.NoEntries, "no-entries", false, "with --source and layout je or noxu: do not check the log's entries")
}

func (a *app) backupAll(ctx context.Context, b *backupFlags, args []string) error {
	jobs, err := a.jobs(b, args)
	if err != nil {
		return err
	}
	reports := []backupReport{}
	var failed []error
	for len(jobs) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(jobs) && jobs[n].entry == jobs[0].entry && jobs[n].isNew(jobs[:n]) {
			n++
		}
		for _, r := range a.backupTogether(ctx, jobs[:n]) {
			reports = append(reports, r.backupReport)
			failed = append(failed, r.failed...)
		}
		jobs = jobs[n:]
	}
	err = a.print(reports, func(w io.Writer) error {
		for i := range reports {
			reports[i].print(w)
		}
		return nil
	})
	return errors.Join(append(failed, err)...)
}

// isNew reports whether none of the other jobs has the same archive. Two backups to one archive
// would race.
func (j *job) isNew(among []job) bool {
	return !slices.ContainsFunc(among, func(other job) bool { return other.name == j.name })
}

// backupDone is the report of one backup with its errors.
type backupDone struct {
	backupReport
	failed []error
}

// backupTogether backs up one database to all its destinations concurrently.
func (a *app) backupTogether(ctx context.Context, jobs []job) []backupDone {
	together, progress := source.NewSharedCapture[backupOutcome](len(jobs)), &archive.Progress{}
	stop := a.watch(ctx, "backup", progress)
	all := make([]backupDone, len(jobs))
	var wg sync.WaitGroup
	for i := range jobs {
		jobs[i].group, jobs[i].settings.progress = together, progress
		wg.Go(func() { all[i] = a.backupOne(ctx, &jobs[i]) })
	}
	wg.Wait()
	stop()
	return all
}

func (a *app) backupOne(ctx context.Context, j *job) backupDone {
	r, err := a.backup(ctx, j)
	if err != nil {
		return backupDone{
			backupReport{
				Name: j.name, Changed: []archive.Changed{}, Damaged: []string{}, LeftOut: []string{}, Omitted: []archive.Omission{}, Warnings: []string{},
				Error: advice.Text(err), Confirmation: confirmationOf(err),
			},
			[]error{about(j.name, j.name, advise(j.name, err))},
		}
	}
	b := backupDone{backupReport: *r}
	if n := len(r.Damaged); n > 0 {
		b.failed = append(b.failed, fmt.Errorf("%s: %s, such as %s: %w", j.name, plural(int64(n), "log file"), r.Damaged[0], errLogDamaged))
	}
	if n := len(r.LeftOut); n > 0 {
		b.failed = append(b.failed, fmt.Errorf("%s: %s, such as %s: %w", j.name, plural(int64(n), "log file"), r.LeftOut[0], errLogLeftOut))
	}
	return b
}

func (a *app) backup(ctx context.Context, j *job) (_ *backupReport, err error) {
	to, err := a.openURL(ctx, j.name, j.url, j.settings)
	if err != nil {
		return nil, err
	}
	defer to.close(&err)
	res, err := j.run(ctx, to, a.log)
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
		a.log.Warn("a closed log file has changed since the last snapshot; both versions are kept",
			"archive", name, "file", f.Name, "change", f.Kind)
	}
	if n := len(res.Damaged); n > 0 {
		a.log.Error("log files of the source are damaged and archived unchanged; strongroom inspect FILE shows the damage",
			"archive", name, "files", res.Damaged[:min(n, 20)], "count", n)
	}
}

// backupReport is what backup prints of one archive.
type backupReport struct {
	Name      string             `json:"archive_name"`
	Committed bool               `json:"committed"`
	Snapshot  *manifest.Summary  `json:"snapshot"`
	Sent      int                `json:"sent"`
	SentBytes int64              `json:"sent_bytes"`
	Adopted   int                `json:"adopted"`
	Changed   []archive.Changed  `json:"changed"`
	Damaged   []string           `json:"damaged"`
	LeftOut   []string           `json:"left_out"`
	Omitted   []archive.Omission `json:"omitted"`
	Warnings  []string           `json:"warnings"`
	MS        int64              `json:"ms"`
	Plan      *backupPlan        `json:"plan,omitempty"`  // set by a dry run
	Error     string             `json:"error,omitempty"` // why it failed; the other results are then zero

	Confirmation string `json:"confirmation,omitempty"` // accepts a guard's finding; set if a guard refused the backup
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
		Adopted: res.Adopted, Changed: append([]archive.Changed{}, res.Changed...), Damaged: list(res.Damaged), LeftOut: list(res.LeftOut),
		Omitted: append([]archive.Omission{}, res.Omitted...), Warnings: list(res.Warnings), MS: res.Took.Milliseconds(),
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
	case r.Error != "": // it is on standard error
	case r.Plan != nil:
		fmt.Fprintf(w, "%s: would read %s (%s), keep %d, drop %d; content that the archive has is not sent\n",
			r.Name, plural(len(r.Plan.Upload), "file"), size(r.Plan.Bytes), r.Plan.Keep, len(r.Plan.Removed))
		lines(w, "  + ", r.Plan.Upload, 50)
		lines(w, "  - ", r.Plan.Removed, 50)
	case !r.Committed:
		fmt.Fprintf(w, "%s: no file has changed since snapshot %d of %s; no snapshot was made\n",
			r.Name, r.Snapshot.Sequence, stamp(r.Snapshot.Created))
	default:
		c := &r.Snapshot.Counts
		fmt.Fprintf(w, "%s: snapshot %d: %s, %s, through %s; sent %s (%s)", r.Name, r.Snapshot.Sequence, plural(c.Files, "file"), size(c.Bytes),
			through(r.Snapshot), plural(r.Sent, "file"), size(r.SentBytes))
		if r.Adopted > 0 {
			fmt.Fprintf(w, "; %d were there already, from an interrupted run", r.Adopted)
		}
		fmt.Fprintf(w, "; %d ms\n", r.MS)
	}
	r.printOmitted(w)
}

// maxOmittedLines is how many omitted files the text output names.
const maxOmittedLines = 20

// printOmitted prints the files that the set does not have although they match the layout.
func (r *backupReport) printOmitted(w io.Writer) {
	if len(r.Omitted) == 0 {
		return
	}
	fmt.Fprintf(w, "%s: left out %s of the source:\n", r.Name, plural(len(r.Omitted), "file"))
	for i, o := range r.Omitted {
		if i == maxOmittedLines {
			fmt.Fprintf(w, "  ! … and %d more\n", len(r.Omitted)-i)
			break
		}
		fmt.Fprintf(w, "  ! %s: %s\n", quoteName(o.Name), oneLine(o.Why))
	}
}
