package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

func (a *app) restoreCommand() *cobra.Command {
	var which, at, to string
	var o archive.RestoreOptions
	var objects bool
	var thaw thawFlags
	c := &cobra.Command{
		Use:   "restore ARCHIVE[@S] --to DIR",
		Short: "Restore a snapshot into a directory",
		Long: `Restore a snapshot into a directory. Each file is checked against its hash before it gets
its name. A new directory gets its name when the restore is complete; an existing one has
the file ` + archive.IncompleteMarker + ` until then. The same command with the same flags
continues an interrupted restore. Stop the database first: a directory that a running
database uses is refused.`,
		Example: `  strongroom restore orders --to /var/lib/orders-restored
  strongroom restore orders@42 --to /var/lib/orders-restored --dry-run
  strongroom restore orders --at '2026-11-22 23:00' --to /var/lib/orders-restored
  strongroom restore orders --include 00000010.jdb..0000001f.jdb --to /tmp/part`,
		Args: exactArgs(1, "restore ARCHIVE[@S] --to DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return usage("--to DIR is missing; give the directory to restore into")
			}
			if objects && !o.DryRun {
				return usage("--objects lists what a dry run would read; add --dry-run")
			}
			if c.Flags().Changed("at") {
				if _, _, named := splitSelector(args[0]); named || which != "" {
					return usage("--at %s and another argument both name a snapshot; use one of them", at)
				}
				until, err := archive.ParseTime(at, time.Now(), time.Local)
				if err != nil {
					return usage("--at %v", err)
				}
				which = archive.Selector{At: until}.String() // the same instant for each destination
			}
			var err error
			if o.Thaw, err = thaw.options(c); err != nil {
				return err
			}
			return a.withFallback(c.Context(), args[0], which, func(arg string) error {
				return a.restore(c, arg, which, to, objects, thaw.days, &o)
			})
		},
	}
	snapshotArgs(c, &which)
	a.identityFlag(c)
	thaw.add(c)
	f := c.Flags()
	f.StringVar(&at, "at", "", "restore the newest snapshot made at or before this `TIME`, such as 2026-11-22T23:00:00Z, "+
		"\"2026-11-22 23:00\", 2026-11-22 or -2h")
	f.Var(pathFlag{&to}, "to", "the `DIR` to restore into")
	f.StringArrayVar(&o.Include, "include", nil, "restore only files that match this `GLOB`, or a range such as "+
		"00000010.jdb..0000001f.jdb (repeatable)")
	f.BoolVar(&o.DryRun, "dry-run", false, "print what would be fetched, how long it takes and what it costs, "+
		"and write nothing")
	f.BoolVar(&objects, "objects", false, "with --dry-run: list each object that would be read")
	f.BoolVar(&o.Overwrite, "overwrite", false, "restore into a directory that has files; "+
		"files with the right content are kept")
	f.BoolVar(&o.DeleteExtra, "delete-extra", false, "remove log files that the snapshot does not have")
	return c
}

// restore restores from one archive. It adds the archive to those of the database whose interrupted restores the next
// one may continue.
func (a *app) restore(
	c *cobra.Command, arg, which, to string, objects bool, thawDays int, o *archive.RestoreOptions,
) (err error) {
	for _, pattern := range o.Include {
		if _, err := path.Match(pattern, ""); err != nil {
			return usage("--include %q: %v", pattern, err)
		}
	}
	from, m, err := a.snapshotBy(c.Context(), arg, which,
		func(x *archive.Archive, ctx context.Context, which archive.Selector) (*manifest.Manifest, error) {
			return x.SnapshotFor(ctx, which, o.Include)
		})
	if err != nil {
		return err
	}
	defer from.close(&err)
	if err := from.CheckTarget(to); err != nil {
		return err
	}
	listed := []archive.ObjectRead{}
	if o.Object = nil; objects {
		o.Object = func(one archive.ObjectRead) { listed = append(listed, one) }
	}
	stop := a.watch(c.Context(), "restore", from.progress)
	start := time.Now()
	res, err := from.Restore(c.Context(), m, to, *o)
	stop()
	o.Also = append(o.Also, m.Archive)
	if res != nil && len(res.Damaged) > 0 {
		a.log.Warn("files of this snapshot were damaged when they were archived", "files", res.Damaged)
	}
	if err != nil {
		return a.priceFrozen(from.url, err, thawDays)
	}
	report := restoreReport{
		m.Sequence, m.Created, to, o.DryRun, res.Files, res.Bytes, res.Fetched, res.Skipped, res.Replaced, res.Requests,
		res.Free, list(res.Removed), list(res.Damaged), continued(m.Archive, res.Continued), time.Since(start).Milliseconds(),
		nil,
	}
	if o.DryRun {
		report.restoreEstimate = a.estimate(c.Context(), from, m.Archive, res, thawDays)
		if objects {
			report.Objects = &listed
		}
	}
	return a.print(report, func(w io.Writer) error { return report.print(w) })
}

type restoreReport struct {
	Snapshot int64     `json:"snapshot"`
	Created  time.Time `json:"created"` // when the snapshot was made
	To       string    `json:"to"`
	DryRun   bool      `json:"dry_run"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Fetched  int       `json:"fetched"`
	Skipped  int       `json:"skipped"`
	Replaced int       `json:"replaced"` // right, and written again: others owned, could write or shared them
	Requests int       `json:"requests"`
	Free     int64     `json:"free"` // free bytes, in a dry run; -1 if unknown
	Removed  []string  `json:"removed"`
	Damaged  []string  `json:"damaged"`
	// Continued are the snapshots whose interrupted restores this one continued.
	Continued []continuedRestore `json:"continued"`
	MS        int64              `json:"ms"`

	*restoreEstimate // in a dry run; nil otherwise
}

type continuedRestore struct {
	Archive  string `json:"archive"`  // empty if RESTORE-INCOMPLETE could not be read
	Snapshot int64  `json:"snapshot"` // 0 if RESTORE-INCOMPLETE could not be read
	other    bool   // the archive is another destination of the database
}

func continued(archiveID string, begun []archive.Begun) []continuedRestore {
	all := []continuedRestore{}
	for _, b := range begun {
		all = append(all, continuedRestore{b.Archive, b.Sequence, b.Archive != archiveID})
	}
	return all
}

func (c *continuedRestore) String() string {
	switch {
	case c.Snapshot == 0:
		return "a snapshot that " + archive.IncompleteMarker + " does not name"
	case c.other:
		return fmt.Sprintf("snapshot %d of archive %s", c.Snapshot, c.Archive)
	}
	return fmt.Sprintf("snapshot %d", c.Snapshot)
}

func (r *restoreReport) print(w io.Writer) error {
	fmt.Fprintf(w, "snapshot %d was made %s\n", r.Snapshot, stamp(r.Created))
	if r.DryRun {
		_, err := fmt.Fprintf(w, "snapshot %d: %s, %s, would be fetched with %s into %s, "+
			"except for files with the right content\n",
			r.Snapshot, plural(r.Files, "file"), size(r.Bytes), plural(r.Requests, "request"), r.To)
		switch {
		case r.Free >= 0 && r.Free < r.Bytes:
			fmt.Fprintf(w, "only %s are free there; the snapshot needs %s, less the files with the right content\n",
				size(r.Free), size(r.Bytes))
		case r.Free >= 0:
			fmt.Fprintf(w, "%s are free there\n", size(r.Free))
		}
		lines(w, "would remove ", r.Removed, 20)
		return errors.Join(err, r.restoreEstimate.print(w))
	}
	_, err := fmt.Fprintf(w, "restored snapshot %d to %s: %s, %s, each file checked against its hash "+
		"(%d fetched, %d right already) in %d ms\n",
		r.Snapshot, r.To, plural(r.Files, "file"), size(r.Bytes), r.Fetched, r.Skipped, r.MS)
	for i := range r.Continued {
		fmt.Fprintf(w, "this continued the interrupted restore of %s\n", &r.Continued[i])
	}
	if r.Replaced > 0 {
		fmt.Fprintf(w, "replaced %s with the right content, which other users owned or could write, "+
			"or which had further names (hard links)\n", plural(r.Replaced, "file"))
	}
	lines(w, "removed ", r.Removed, 20)
	return err
}
