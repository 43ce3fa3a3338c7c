package main

import (
	"fmt"
	"io"
	neturl "net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
)

func (a *app) copyCommand() *cobra.Command {
	var to string
	var o archive.CopyOptions
	var re reencryption
	c := &cobra.Command{
		Use:   "copy ARCHIVE --to ARCHIVE",
		Short: "Copy an archive to another place, or bring a copy up to date",
		Long: `Copy an archive to another place, or bring a copy up to date: every snapshot above the
copy's newest, with the same number and the same bytes, each after what it needs. All is
held against the manifests before it is sent. The same command continues a copy that was
broken off, and sends nothing again. A snapshot that the archive has no longer whole is
named and passed over, with exit code 3. Make backups to the original only: who makes them
to a copy cannot bring it up to date any more.

With --recipient or --compression everything is read (--identity) and stored anew, encrypted
to these recipients alone: a new archive, with numbers of its own. That is how keys are
changed for what is stored already.`,
		Args: exactArgs(1, "copy ARCHIVE --to URL"),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return usage("--to URL is missing: where should the copy go?")
			}
			for _, arg := range []string{args[0], to} {
				if err := noSnapshot("copy", arg); err != nil {
					return err
				}
			}
			if re.compression != "" || len(re.recipients) > 0 {
				return a.reencrypt(c, args[0], to, o, re)
			}
			if len(a.identities) > 0 {
				return usage("--identity goes with --recipient or --compression: a plain copy keeps every byte, and reads nothing")
			}
			return a.copy(c, args[0], to, o)
		},
	}
	f := c.Flags()
	f.StringVar(&to, "to", "", "the `URL` of the copy, or its name in the configuration")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be copied")
	f.StringArrayVar(&re.recipients, "recipient", nil, "store everything anew, encrypted to this age public `KEY` (repeatable)")
	f.StringVar(&re.compression, "compression", "", "store everything anew, compressed: none, zstd, or zstd with a level")
	a.identityFlag(c)
	f.StringVar(&o.Scratch, "scratch", "", "the `DIR` for objects over 16 MiB on their way, two at a time (default: TMPDIR, or /tmp)")
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
	if err := sourceAndTarget(source.url, target.url); err != nil {
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
			a.log.Info("some snapshots were copied before it failed", "snapshots", n, "newest", r.Newest)
		}
		return fmt.Errorf("copying %s to %s: %w", source.name, target.name, err)
	}
	report := copied{source.name, target.name, o.DryRun, r, time.Since(start).Milliseconds()}
	if err := a.print(report, report.print); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return problems(len(r.Problems))
	}
	return nil
}

// sourceAndTarget refuses a copy of an archive to itself, or into itself.
func sourceAndTarget(from, to string) error {
	if providers.Redact(from) == providers.Redact(to) {
		return usage("%s is the archive itself; a copy needs another place", shortName(to))
	}
	if u, err := neturl.Parse(to); err == nil && u.Scheme == "file" {
		return rejectNested(u.Path, from, "the copy")
	}
	return nil
}

type copied struct {
	Name   string `json:"archive_name"`
	To     string `json:"to"`
	DryRun bool   `json:"dry_run"`
	*archive.CopyReport
	MS int64 `json:"ms"`
}

func (r *copied) print(w io.Writer) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s: %s: %s\n    passed over: %s\n", p.What, p.Object, p.Detail, numbers(p.Snapshots))
	}
	var err error
	switch n := len(r.Snapshots); {
	case n == 0 && r.Newest == 0:
		_, err = fmt.Fprintf(w, "%s: there is no snapshot to copy to %s\n", r.Name, r.To)
	case n == 0:
		_, err = fmt.Fprintf(w, "%s: nothing new since snapshot %d, which %s has\n", r.Name, r.Newest, r.To)
	case r.DryRun:
		_, err = fmt.Fprintf(w, "%s: %s (%s), %s, %s, would be copied to %s, less what a copy that was broken off has sent\n",
			r.Name, plural(n, "snapshot"), numbers(r.Snapshots), plural(r.Objects, "object"), size(r.Bytes), r.To)
	default:
		_, err = fmt.Fprintf(w, "%s: %s (%s) copied to %s: %s sent, %s, %d there already, every one checked, in %d ms\n",
			r.Name, plural(n, "snapshot"), numbers(r.Snapshots), r.To, plural(r.Objects, "object"), size(r.Bytes), r.Adopted, r.MS)
	}
	return err
}
