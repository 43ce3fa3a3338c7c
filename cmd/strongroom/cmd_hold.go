package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
)

func (a *app) holdCommand() *cobra.Command {
	var snapshot, why string
	c := &cobra.Command{
		Use:   "hold ARCHIVE@S",
		Short: "Keep a snapshot, regardless of the retention",
		Long: `Keep a snapshot, regardless of the retention, until it is released. S is its number, a
time, or latest. Another hold of the same snapshot changes the reason that list and prune
show.`,
		Example: `  strongroom hold orders@42 --why 'audit of 2026'
  strongroom hold orders@latest`,
		Args: exactArgs(1, "hold ARCHIVE@S"),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.ContainsFunc(why, unicode.IsControl) || !utf8.ValidString(why) {
				return usage("--why %q: give one line of text without control characters", why)
			}
			return a.changeHold(c, args[0], snapshot, "held", "holding", func(o *openArchive, which archive.Selector) (int64, error) {
				return o.Hold(c.Context(), which, why)
			})
		},
	}
	c.Flags().StringVar(&snapshot, "snapshot", "", "the snapshot `S`, instead of @S")
	c.Flags().StringVar(&why, "why", "", "the `REASON` that list and prune show (default: "+archive.DefaultWhy+")")
	return c
}

func (a *app) releaseCommand() *cobra.Command {
	var snapshot string
	c := &cobra.Command{
		Use:     "release ARCHIVE@S",
		Short:   "Release a held snapshot: the next prune applies the retention to it",
		Example: `  strongroom release orders@42`,
		Args:    exactArgs(1, "release ARCHIVE@S"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeHold(c, args[0], snapshot, "released", "releasing", func(o *openArchive, which archive.Selector) (int64, error) {
				return o.Release(c.Context(), which)
			})
		},
	}
	c.Flags().StringVar(&snapshot, "snapshot", "", "the snapshot `S`, instead of @S")
	return c
}

type heldSnapshot struct {
	Name     string `json:"archive_name"`
	Sequence int64  `json:"sequence"`
	Done     string `json:"done"` // "held" or "released"
}

func (a *app) changeHold(c *cobra.Command, arg, snapshot, done, doing string, change func(*openArchive, archive.Selector) (int64, error)) (err error) {
	where, which, err := selector(arg, snapshot)
	if err != nil {
		return err
	}
	if where == arg && snapshot == "" {
		return usage("name a snapshot, such as strongroom %s %s@42, or @latest", c.Name(), shortName(where))
	}
	o, err := a.open(c.Context(), where)
	if err != nil {
		return err
	}
	defer o.close(&err)
	n, err := change(o, which)
	if err != nil {
		return about(o.name, doing+" snapshot "+which.String()+" of "+o.name, err)
	}
	return a.print(heldSnapshot{o.name, n, done}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: snapshot %d is %s\n", o.name, n, done)
		return err
	})
}
