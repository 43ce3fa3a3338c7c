package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
)

func (a *app) catCommand() *cobra.Command {
	var which string
	var thaw thawFlags
	c := &cobra.Command{
		Use:   "cat ARCHIVE[@S] FILE",
		Short: "Print one file of a snapshot, verified",
		Long: `Print one file of a snapshot to standard output. The whole file is checked against its hash
before its first byte is printed.`,
		Example: `  strongroom cat orders 0000001f.jdb > /tmp/0000001f.jdb
  strongroom cat orders@42 0000001f.jdb | sha256sum`,
		Args: exactArgs(2, "cat ARCHIVE[@S] FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := thaw.options(c)
			if err != nil {
				return err
			}
			return a.withFallback(c.Context(), args[0], which, func(arg string) error {
				return a.cat(c, arg, which, args[1], o, thaw.days)
			})
		},
	}
	snapshotArgs(c, &which)
	a.identityFlag(c)
	thaw.add(c)
	return c
}

// maxThaws is how often cat thaws a file.
const maxThaws = 3

func (a *app) cat(c *cobra.Command, arg, which, name string, thaw *archive.ThawOptions, thawDays int) (err error) {
	o, m, err := a.snapshotOf(c.Context(), arg, which, []string{name})
	if err != nil {
		return err
	}
	defer o.close(&err)
	stop := a.watch(c.Context(), "cat", o.progress)
	err = o.Cat(c.Context(), m, name, a.stdout)
	// It has printed nothing. A thawed copy may end before it is read.
	for tries := 0; thaw != nil && tries < maxThaws && errors.As(err, new(*archive.FrozenError)); tries++ {
		if err = o.Thaw(c.Context(), m, []string{name}, *thaw); err == nil {
			err = o.Cat(c.Context(), m, name, a.stdout)
		}
	}
	stop()
	if err != nil {
		return a.priceFrozen(o.url, fmt.Errorf("cat: %w", err), thawDays)
	}
	for i := range m.Files {
		if f := &m.Files[i]; f.Name == name && f.Damaged() {
			a.log.Warn("this file was damaged when it was archived; it is printed as it was archived",
				"file", f.Name, "snapshot", m.Sequence, "at", *f.Check.At, "why", f.Check.Why)
		}
	}
	return nil
}
