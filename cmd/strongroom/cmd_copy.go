package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
)

func (a *app) copyCommand() *cobra.Command {
	var to string
	var o archive.CopyOptions
	var re reencryption
	var thaw thawFlags
	c := &cobra.Command{
		Use:   "copy ARCHIVE --to ARCHIVE",
		Short: "Copy an archive to another URL, or update a copy",
		Long: `Copy an archive to another URL, or update a copy: every snapshot newer than the copy's
newest, with the same number and the same bytes. Each object is checked against the
manifests before it is sent, and each snapshot follows the objects that it needs. The same
command continues an interrupted copy and sends no object twice. A snapshot that the
archive no longer has completely is listed and skipped; the exit code is then 3. Back up to
the original only: a copy with a backup of its own can no longer be updated.

With --recipient or --compression everything is decrypted (--identity) and stored again,
encrypted to these recipients only: a new archive, with numbers of its own. Use this to
change the keys of stored content.`,
		Example: `  strongroom copy orders --to file:///mnt/copy/orders
  strongroom copy 's3://backups/orders?region=eu-central-1' --to file:///mnt/copy/orders --dry-run
  strongroom copy orders --to file:///mnt/new/orders --identity old.key --recipient "$NEW_KEY"`,
		Args: exactArgs(1, "copy ARCHIVE --to URL"),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return usage("--to URL is missing; give the URL of the copy")
			}
			for _, arg := range []string{args[0], to} {
				if err := noSnapshot("copy", arg); err != nil {
					return err
				}
			}
			var err error
			if o.Thaw, err = thaw.options(c); err != nil {
				return err
			}
			if re.compression != "" || len(re.recipients) > 0 {
				return a.reencrypt(c, args[0], to, o, re)
			}
			if len(a.identities) > 0 {
				return usage("--identity needs --recipient or --compression: " +
					"a plain copy keeps the stored bytes and decrypts nothing")
			}
			return a.copy(c, args[0], to, o)
		},
	}
	f := c.Flags()
	f.StringVar(&to, "to", "", "the `URL` of the copy, or its name in the configuration")
	f.BoolVar(&o.DryRun, "dry-run", false, "print what would be copied, and copy nothing")
	f.StringArrayVar(&re.recipients, "recipient", nil, "store everything again, encrypted to this age public `KEY` "+
		"(repeatable)")
	f.StringVar(&re.compression, "compression", "", "store everything again with this compression: none, zstd, "+
		"or zstd with a level, such as zstd:better")
	a.identityFlag(c)
	thaw.add(c)
	f.Var(pathFlag{&o.Scratch}, "scratch", "the `DIR` for objects over 16 MiB, at most two at a time "+
		"(default: TMPDIR, or /tmp)")
	return c
}

func (a *app) copy(c *cobra.Command, from, to string, o archive.CopyOptions) (err error) {
	source, err := a.open(c.Context(), from)
	if err != nil {
		return err
	}
	defer source.close(&err)
	target, err := a.open(c.Context(), to)
	if err != nil {
		return err
	}
	defer target.close(&err)
	if err := isOther(source.url, target.url); err != nil {
		return err
	}
	stop := a.watch(c.Context(), "copy", target.progress)
	start := time.Now()
	r, err := archive.Copy(c.Context(), source.Archive, target.Archive, o)
	stop()
	for _, w := range r.Warnings {
		a.log.Warn(w, "archive", source.name)
	}
	if err != nil {
		if n := len(r.Snapshots); n > 0 && !o.DryRun {
			a.log.Info("some snapshots were copied before the failure", "snapshots", n, "newest", r.Newest)
		}
		return fmt.Errorf("copying %s to %s: %w", source.name, target.name, err)
	}
	report := copied{source.name, target.name, o.DryRun, r, nil, time.Since(start).Milliseconds()}
	if o.DryRun {
		e := a.estimateReads(source, &r.Plan)
		report.readEstimate = &e
	}
	if err := a.print(report, report.print); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return problems(len(r.Problems))
	}
	return nil
}

// isOther returns an error if the copy is the archive itself.
func isOther(from, to string) error {
	if providers.Place(from) == providers.Place(to) {
		return usage("%s is the archive itself; a copy needs another URL", shortName(to))
	}
	return nil
}

type copied struct {
	Name   string `json:"archive_name"`
	To     string `json:"to"`
	DryRun bool   `json:"dry_run"`
	*archive.CopyReport
	*readEstimate       // in a dry run that keeps the stored bytes; nil otherwise
	MS            int64 `json:"ms"`
}

func (r *copied) print(w io.Writer) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s: %s: %s\n    skipped snapshots: %s\n", p.Kind, p.Object, p.Detail, numbers(p.Snapshots))
	}
	if err := r.printDone(w); err != nil || r.readEstimate == nil || len(r.Snapshots) == 0 {
		return err
	}
	if err := r.printReads(w, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "reading this from %s: %s\n", r.Name, r.priceText())
	return err
}

func (r *copied) printDone(w io.Writer) error {
	var err error
	switch n := len(r.Snapshots); {
	case n == 0 && r.Newest == 0:
		_, err = fmt.Fprintf(w, "%s: no snapshot to copy to %s\n", r.Name, r.To)
	case n == 0:
		_, err = fmt.Fprintf(w, "%s: no new snapshots since %d, the newest in %s\n", r.Name, r.Newest, r.To)
	case r.DryRun:
		_, err = fmt.Fprintf(w, "%s: %s (%s), %s, %s, would be copied to %s, less what an interrupted copy has sent\n",
			r.Name, plural(n, "snapshot"), numbers(r.Snapshots), plural(r.Objects, "object"), size(r.Bytes), r.To)
	default:
		checked := "each one checked"
		if r.Uncompared > 0 {
			checked = fmt.Sprintf("%d of them not checked, since they must be thawed first", r.Uncompared)
		}
		_, err = fmt.Fprintf(w, "%s: %s (%s) copied to %s: %s sent, %s, %d there already, %s, in %d ms\n",
			r.Name, plural(n, "snapshot"), numbers(r.Snapshots), r.To, plural(r.Objects, "object"), size(r.Bytes), r.Adopted,
			checked, r.MS)
	}
	return err
}
