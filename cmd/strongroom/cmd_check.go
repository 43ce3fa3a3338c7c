package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// checkFlags are the flags of check.
type checkFlags struct {
	dir    string // --source: check without configuration
	layout source.LayoutOptions
	encode encodeFlags
	files  bool // print each file and check its entries
	quick  bool // leave out the trials with a thousand objects
}

func (b *checkFlags) prober() prober {
	if b.quick {
		return storecheck.Quick
	}
	return storecheck.Probe
}

func (a *app) checkCommand() *cobra.Command {
	var b checkFlags
	c := &cobra.Command{
		Use:   "check [ARCHIVE...] | [--source DIR] URL",
		Short: "Check that sources and destinations are ready for backups",
		Long: `Check that sources and destinations are ready for backups. For each source it prints which
files count as closed and why. It tests each destination with objects below probe/, which
it deletes again, and prints what the destination guarantees. Without arguments it checks
every archive of the configuration, and its section http. With --files it reads every log
file and checks its entries. Exit code 1 if a check failed, 3 if a log file is damaged.`,
		Example: `  strongroom check
  strongroom check --files orders
  strongroom check --source /var/lib/orders 's3://backups/orders?region=eu-central-1'`,
		RunE: func(c *cobra.Command, args []string) error { return a.checkAll(c.Context(), &b, args) },
	}
	f := c.Flags()
	f.Var(pathFlag{&b.dir}, "source", "check this `DIR`, without configuration")
	f.BoolVar(&b.files, "files", false, "print each log file; read it and check its entries")
	f.BoolVar(&b.quick, "quick", false, "do not test listings, which takes a thousand objects")
	layoutFlags(f, &b.layout)
	b.encode.add(f)
	return c
}

// errUnfit is returned by a check that failed, after all its findings were printed.
var errUnfit = errors.New("not ready for backups; see the lines marked failed")

// errUnfinished is returned by a check that could not complete some tests, for reasons that may pass.
var errUnfinished = errors.New("some tests could not be completed, for reasons that may pass; " +
	"see the lines marked failed, and check again")

// A checkReport is what check prints about one archive.
type checkReport struct {
	Name        string               `json:"archive_name"`
	Source      *sourceReport        `json:"source,omitempty"`
	Destination string               `json:"destination"`
	Findings    []storecheck.Finding `json:"findings"`
	HTTP        *httpReport          `json:"http,omitempty"` // of the configuration; in the first report alone
}

// addFinding adds a finding to others, and prints it.
func addFinding(w io.Writer, to *[]storecheck.Finding, f storecheck.Finding) {
	f.Advice = advice.Findings(f.Advice)
	*to = append(*to, f)
	line(w, string(f.Result), f.Probe, f.Detail, f.Advice)
}

// sourceReport is what check prints about a directory of log files.
type sourceReport struct {
	Dir      string       `json:"dir"`
	Layout   string       `json:"layout,omitempty"`
	Detected bool         `json:"detected"` // whether the layout was detected from the file names
	Rule     string       `json:"closed_when,omitempty"`
	Files    []sourceFile `json:"files"`
	Error    string       `json:"error,omitempty"`

	captured []source.File // nil if the source could not be captured
}

type sourceFile struct {
	Name    string `json:"name"`
	State   string `json:"state"` // closed, tail or ignored
	Size    int64  `json:"size"`  // in bytes; 0 if the file was not read
	Why     string `json:"why"`
	Damaged string `json:"damaged,omitempty"` // what is wrong with its entries
	Unknown string `json:"unknown,omitempty"` // why its entries could not be checked
}

func (a *app) checkAll(ctx context.Context, b *checkFlags, args []string) error {
	jobs, err := a.checkJobs(b, args)
	if err != nil {
		return err
	}
	reports := []checkReport{}
	unfit, unfinished, damaged := false, false, false
	for i := range jobs {
		r, err := a.check(ctx, &jobs[i], b)
		if err != nil {
			return err
		}
		reports = append(reports, r)
		unfit, unfinished, damaged = unfit || r.unfit(), unfinished || r.unfinished(), damaged || r.damaged()
	}
	serves := true
	if b.dir == "" && len(args) == 0 {
		if serves, err = a.checkService(ctx, reports); err != nil {
			return err
		}
	}
	if a.json {
		if err := a.print(reports, nil); err != nil {
			return err
		}
	}
	switch {
	case damaged:
		return fmt.Errorf("log files are %w; see the lines marked failed", errLogDamaged)
	case unfit:
		return errUnfit
	case !serves:
		return errNoService
	case unfinished:
		return errUnfinished
	}
	return nil
}

// checkJobs returns the archives and sources to check. A job without a directory has no source.
func (a *app) checkJobs(b *checkFlags, args []string) ([]job, error) {
	if b.dir != "" && (len(args) != 1 || !isURL(args[0])) {
		return nil, usage("--source takes one URL, such as: "+
			"strongroom check --source %s file:///backups/%s", b.dir, filepath.Base(b.dir))
	}
	if b.dir == "" {
		if err := needsSource(&b.layout, &b.encode); err != nil {
			return nil, err
		}
	}
	if b.dir != "" {
		j, err := adHoc(&backupFlags{dir: b.dir, layout: b.layout, encode: b.encode}, args[0])
		if err == nil {
			j.settings.stateDir, err = a.configuredState()
		}
		return []job{j}, err
	}
	args, err := a.orAll(args)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, arg := range args {
		if err := noSnapshot("check", arg); err != nil {
			return nil, err
		}
		if isURL(arg) {
			stateDir, err := a.configuredState()
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, job{name: shortName(arg), url: arg, settings: settings{stateDir: stateDir}})
			continue
		}
		c, err := a.config()
		if err != nil {
			return nil, err
		}
		one, err := namedArchive(c, arg)
		if err != nil {
			return nil, err
		}
		if _, err := notify.New(one.Notify, notify.Options{Archive: one.Name, Log: a.log}); err != nil {
			return nil, usageError{at(c.Place(one.Name, "notify"), fmt.Errorf("%s: %w", one.Name, err))}
		}
		jobs = append(jobs, configured(c, one, archive.BackupOptions{}))
	}
	return jobs, nil
}

// check checks one archive and prints each finding at once. It prints single files only if
// files is set.
func (a *app) check(ctx context.Context, j *job, b *checkFlags) (r checkReport, err error) {
	out := a.checkOutput()
	r = checkReport{Name: j.name, Destination: providers.Redact(j.url), Findings: []storecheck.Finding{}}
	fmt.Fprintln(out, r.Name)
	if j.dir != "" {
		if r.Source, err = a.checkSource(ctx, j, b.files); err != nil {
			return r, err
		}
		r.Source.print(out, b.files)
	}
	fmt.Fprintf(out, "  destination %s\n", r.Destination)
	report := func(f storecheck.Finding) { addFinding(out, &r.Findings, f) }
	to, err := a.openURL(ctx, j.name, j.url, j.settings)
	var wrong usageError
	switch {
	case errors.As(err, &wrong):
		return r, err
	case err != nil: // the other archives can still be checked
		report(storecheck.Finding{Probe: "reach", Result: storecheck.Failed, Detail: message(err)})
		return r, nil
	}
	defer to.close(&err)
	a.tryScratch(j.name, report)
	state := stateDirectory(cmp.Or(a.stateDir, j.settings.stateDir))
	checkState(ctx, state, to.encoder, report)
	if err = tryOut(ctx, j, to, r.Source, b.prober(), report); err != nil {
		return r, fmt.Errorf("checking %s: %w", j.name, err)
	}
	return r, nil
}

// checkOutput returns the writer of findings as text, none with --json. Each print ends with a whole character.
func (a *app) checkOutput() io.Writer {
	if a.json {
		return io.Discard
	}
	return textWriter(a.stdout)
}

// checkSource checks a directory of log files. Its problems are part of the report, and no
// error, so that the destination is checked too.
func (a *app) checkSource(ctx context.Context, j *job, read bool) (*sourceReport, error) {
	r := &sourceReport{Dir: j.dir, Detected: j.layout.Name == "", Files: []sourceFile{}}
	src, err := j.openSource()
	var wrong usageError
	switch {
	case errors.As(err, &wrong):
		return nil, err
	case err != nil:
		r.Error = message(err)
		return r, nil
	}
	layout := src.Layout()
	r.Layout, r.Rule = layout.Name(), layout.ClosedRule()
	capture, err := src.Capture(ctx, func(source.File) bool { return read })
	if ctx.Err() != nil {
		return nil, fmt.Errorf("reading the source: %w", context.Cause(ctx))
	}
	if err != nil {
		r.Error = message(err)
		return r, nil
	}
	defer capture.Close()
	found := &fileCheck{}
	if read {
		found, err = a.checkFiles(ctx, layout, capture)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("reading the source: %w", context.Cause(ctx))
		}
		if err != nil {
			r.Error = message(err)
			return r, nil
		}
	}
	r.captured = capture.Files
	for i := range capture.Files {
		f := &capture.Files[i]
		one := sourceFile{
			Name: f.Name, State: "closed", Size: f.Size, Why: r.Rule,
			Damaged: found.damage[f.Name], Unknown: found.unknown[f.Name],
		}
		if f.State == source.Tail {
			one.State, one.Why = "tail", layout.OpenReason()
			if n, ok := found.cut[f.Name]; ok {
				one.Size = n
			}
		}
		r.Files = append(r.Files, one)
	}
	for _, f := range capture.Ignored {
		one := sourceFile{Name: f.Name, State: "ignored", Size: f.Size, Why: f.Why}
		if f.Suspicious {
			one.Damaged = f.Why
		}
		r.Files = append(r.Files, one)
	}
	r.Error, err = a.sourceFault(ctx, layout, capture)
	return r, err
}

// sourceFault returns why a backup of a capture would fail; "" if nothing is known.
func (a *app) sourceFault(ctx context.Context, layout source.Layout, capture *source.Capture) (string, error) {
	if len(capture.Files) == 0 {
		return "no log file of the layout " + layout.Name() + " is closed or a tail; a backup would refuse this source", nil
	}
	if _, err := archive.MakePlan(capture.Files, nil, nil); err != nil {
		return err.Error(), nil
	}
	unreadable, first, err := findUnreadable(ctx, capture)
	if err != nil || len(unreadable) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s cannot be read, such as %s; a backup would fail: %s",
		plural(len(unreadable), "log file"), quoteName(unreadable[0]), message(first)), nil
}

func (r *checkReport) unfit() bool {
	if r.Source != nil && r.Source.Error != "" {
		return true
	}
	return slices.ContainsFunc(r.Findings, func(f storecheck.Finding) bool {
		return f.Result == storecheck.Failed && !f.Transient
	})
}

// unfinished reports whether a test could not be completed for a reason that may pass.
func (r *checkReport) unfinished() bool {
	return slices.ContainsFunc(r.Findings, func(f storecheck.Finding) bool { return f.Transient })
}

// damaged reports whether a log file of the source is damaged.
func (r *checkReport) damaged() bool {
	return r.Source != nil && slices.ContainsFunc(r.Source.Files, func(f sourceFile) bool { return f.Damaged != "" })
}

// line prints the result of one check.
func line(w io.Writer, result, what, detail, advice string) {
	fmt.Fprintf(w, "    %-6s  %-16s  %s\n", result, what, oneLine(detail))
	if advice != "" {
		fmt.Fprintf(w, "    %-6s  %-16s  → %s\n", "", "", oneLine(advice))
	}
}

func (s *sourceReport) print(w io.Writer, every bool) {
	fmt.Fprintf(w, "  source %s\n", s.Dir)
	if s.Layout != "" {
		how := "as configured"
		if s.Detected {
			how = "detected from the file names; set it in the configuration to be sure"
		}
		line(w, "ok", "layout", s.Layout+", "+how, "")
	}
	var closed sourceFile
	var bytes int64
	n := 0
	for _, f := range s.Files {
		if f.State == "closed" {
			n, bytes, closed = n+1, bytes+f.Size, f
		}
	}
	if n > 0 {
		line(w, "ok", "closed", fmt.Sprintf("%s, %s, through %s; a file is closed when %s",
			plural(n, "file"), size(bytes), quoteName(closed.Name), s.Rule), "")
	}
	for _, f := range s.Files {
		switch {
		case f.Damaged != "":
			advice := "an earlier snapshot may have the file undamaged: strongroom list"
			if f.State == "ignored" {
				advice = "a backup leaves it out, since it has no valid entry; does it belong to this database?"
			}
			detail := fmt.Sprintf("%s, %s, is damaged: %s", quoteName(f.Name), size(f.Size), f.Damaged)
			line(w, "failed", f.State, detail, advice)
		case f.Unknown != "":
			line(w, "note", f.State, fmt.Sprintf("%s, %s, is %s", quoteName(f.Name), size(f.Size), f.Unknown), "")
		case f.State == "tail":
			line(w, "ok", "tail", fmt.Sprintf("%s, %s: %s", quoteName(f.Name), size(f.Size), f.Why), "")
		case f.State == "ignored":
			line(w, "note", "ignored", quoteName(f.Name)+": "+f.Why, "")
		case every:
			line(w, "ok", "closed", fmt.Sprintf("%s, %s", quoteName(f.Name), size(f.Size)), "")
		}
	}
	if s.Error != "" {
		line(w, "failed", "source", s.Error, "")
	}
}
