package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
)

// reencryption is how copy encodes the content of a new archive.
type reencryption struct {
	compression string
	recipients  []string
}

func (a *app) reencrypt(c *cobra.Command, from, to string, o archive.CopyOptions, re reencryption) (err error) {
	source, err := a.open(c.Context(), from)
	if err != nil {
		return err
	}
	defer source.close(&err)
	if !isURL(to) {
		return usage("--to %s: give a URL when using --recipient or --compression: "+
			"an archive of the configuration has settings of its own for both", to)
	}
	stateDir, err := a.configuredState()
	if err != nil {
		return err
	}
	target, err := a.openURL(c.Context(), shortName(to), to, settings{stateDir: stateDir, scratch: o.Scratch, compression: re.compression, recipients: re.recipients})
	if err != nil {
		return err
	}
	defer target.close(&err)
	if err := isOther(source.url, target.url); err != nil {
		return err
	}
	o.Tool = tool()
	stop := a.watch(c.Context(), "copy", target.progress)
	start := time.Now()
	r, err := archive.Reencrypt(c.Context(), source.Archive, target.Archive, o)
	stop()
	if err != nil {
		if n := len(r.Snapshots); n > 0 && !o.DryRun {
			a.log.Info("some snapshots were copied before the failure; the same command continues", "snapshots", n)
		}
		return fmt.Errorf("copying %s to %s: %w", source.name, target.name, err)
	}
	report := copied{source.name, target.name, o.DryRun, r, nil, time.Since(start).Milliseconds()}
	return a.print(report, report.print)
}
