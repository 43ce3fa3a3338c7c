package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
)

func (a *app) listCommand() *cobra.Command {
	var last int
	c := &cobra.Command{
		Use:   "list [ARCHIVE...]",
		Short: "List the snapshots, newest last",
		Long: `List the snapshots of archives, newest last. ARCHIVE is a name from the configuration or a
URL. Without arguments it lists the snapshots of all archives in the configuration.`,
		Example: `  strongroom list
  strongroom list --last 10 orders
  strongroom list --json 's3://backups/orders?region=eu-central-1'`,
		RunE: func(c *cobra.Command, args []string) error {
			if last < 0 {
				return usage("--last %d: give a positive number of snapshots", last)
			}
			return a.list(c, args, last)
		},
	}
	c.Flags().IntVar(&last, "last", 0, "list only the newest `N` snapshots")
	return c
}

// listed is a snapshot in list --json. Its field names are those of the manifest.
type listed struct {
	*manifest.Summary
	Sequence int64  `json:"sequence"` // set for unreadable manifests too
	Name     string `json:"archive_name,omitempty"`
	State    string `json:"state"`
	Held     string `json:"held,omitempty"` // the reason of a hold; "" if the snapshot is not held
	Error    string `json:"error,omitempty"`
}

func (a *app) list(c *cobra.Command, args []string, last int) error {
	args, err := a.orAll(args)
	if err != nil {
		return err
	}
	for _, where := range args {
		if err := noSnapshot("list", where); err != nil {
			return err
		}
	}
	all, names, done := []listed{}, len(args) > 1, 0
	var failed error
	for _, where := range args {
		snapshots, below, err := a.listOne(c, where, last)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if err != nil && len(snapshots) == 0 {
			if a.json {
				all = append(all, listed{Name: providers.Redact(where), State: "failed", Error: advice.Text(err)})
			}
			all, names = append(all, below...), names || len(below) > 0
			if c.Context().Err() != nil {
				break
			}
			continue
		}
		done++
		for i := range snapshots {
			s := &snapshots[i]
			l := listing(s)
			if len(args) > 1 {
				l.Name = where
			}
			all = append(all, l)
		}
		failed = errors.Join(failed, unreadable(where, snapshots))
	}
	if done == 0 && failed != nil && len(all) == 0 {
		return failed // without "no snapshots yet"
	}
	if err := a.print(all, func(w io.Writer) error { return listTable(w, all, names) }); err != nil {
		return err
	}
	return failed
}

// unreadable returns an error with the snapshots of an archive that cannot be read; nil if all can.
func unreadable(where string, all []archive.Snapshot) (err error) {
	for i := range all {
		if s := &all[i]; s.Err != nil {
			err = errors.Join(err, fmt.Errorf("%s: snapshot %d cannot be read: %w", where, s.Sequence, s.Err))
		}
	}
	return err
}

// listOne lists the snapshots of an archive or, if there is none at the address, the archives below it.
func (a *app) listOne(c *cobra.Command, where string, last int) (_ []archive.Snapshot, below []listed, err error) {
	o, err := a.open(c.Context(), where)
	if err != nil {
		return nil, nil, err
	}
	defer o.close(&err)
	s, err := o.List(c.Context(), last)
	if errors.Is(err, archive.ErrHoldsArchives) {
		below, err = a.listBelow(c.Context(), o)
	}
	if err != nil {
		return nil, below, about(o.name, "listing "+o.name, err)
	}
	if len(s) > 0 && last == 0 { // --last is for few requests
		a.warnOfDamage(c.Context(), o, s)
		a.warnOfFrozen(c.Context(), o)
	}
	if len(s) > 0 {
		if err := o.CheckID(c.Context()); err != nil {
			return s, nil, about(o.name, o.name, err)
		}
	}
	return s, nil, nil
}

// warnOfDamage logs the result of the last verify. A listing reads only manifests, so it shows a
// snapshot as ok even if its objects are missing.
func (a *app) warnOfDamage(ctx context.Context, o *openArchive, listed []archive.Snapshot) {
	i := slices.IndexFunc(listed, func(s archive.Snapshot) bool { return s.Err == nil })
	if i < 0 {
		return // the listing itself reports damage
	}
	found, err := o.LastFindings(ctx, listed[i].Archive)
	switch {
	case err != nil:
		a.log.Debug("the result of the last verify cannot be read", "archive", o.name, "error", err)
	case found != nil && found.Problems > 0:
		a.log.Warn("the last verify found that not all snapshots can be restored; "+
			"strongroom verify --read-data shows which can",
			"archive", o.name, "verified", stamp(found.At), "problems", found.Problems)
	}
}

// warnOfFrozen logs that content must be thawed before a restore: the snapshots are shown as ok.
func (a *app) warnOfFrozen(ctx context.Context, o *openArchive) {
	class, n, err := o.FindFrozen(ctx)
	switch {
	case err != nil:
		a.log.Debug("the storage classes of the objects cannot be listed", "archive", o.name, "error", err)
	case n > 0:
		a.log.Warn("objects must be thawed (--thaw) before a restore; strongroom verify counts them",
			"archive", o.name, "class", class, "found", n)
	}
}

// orAll returns the arguments or, if there are none, every archive of the configuration.
func (a *app) orAll(args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	for i := range c.Archives {
		args = append(args, c.Archives[i].Name)
	}
	return args, nil
}

// state returns the state of a snapshot in a listing.
func state(s *archive.Snapshot) string {
	switch {
	case errors.Is(s.Err, store.ErrFrozen):
		return "frozen"
	case s.Err != nil:
		return "unreadable"
	case s.Counts.Damaged > 0:
		return "damaged"
	}
	return "ok"
}

func listTable(w io.Writer, all []listed, names bool) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no snapshots yet")
		return err
	}
	rows := [][]string{{"SNAPSHOT", "CREATED", "FILES", "BYTES", "ADDED", "ADDED BYTES", "STORED", "THROUGH", "STATE"}}
	for _, l := range all {
		number := strconv.FormatInt(l.Sequence, 10)
		if l.Sequence == 0 {
			number = "-" // an archive without a snapshot
		}
		row := []string{number, "-", "-", "-", "-", "-", "-", "-", l.State}
		if s := l.Summary; s != nil {
			row = []string{
				strconv.FormatInt(s.Sequence, 10), stamp(s.Created), strconv.FormatInt(s.Counts.Files, 10),
				size(s.Counts.Bytes), strconv.FormatInt(s.Counts.Added, 10), size(s.Counts.AddedBytes),
				size(s.Counts.StoredBytes), through(s), l.State,
			}
		}
		if l.Summary != nil && l.LeftOut != nil {
			row[len(row)-1] += ", " + plural(l.LeftOut.Files, "file") + " left out"
		}
		if l.Held != "" {
			row[len(row)-1] += ", held: " + l.Held
		}
		if names {
			row = append([]string{l.Name}, row...)
		}
		rows = append(rows, row)
	}
	if names {
		rows[0] = append([]string{"ARCHIVE"}, rows[0]...)
	}
	return table(w, rows)
}

func through(s *manifest.Summary) string {
	if s.ConsistentThrough == nil {
		return "-"
	}
	return fmt.Sprintf("%s:%d", s.ConsistentThrough.Name, s.ConsistentThrough.Size)
}

// listing returns the entry of a snapshot, without the archive's name.
func listing(s *archive.Snapshot) listed {
	l := listed{Sequence: s.Sequence, State: state(s), Held: s.Held}
	if s.Err != nil {
		l.Error = s.Err.Error()
	} else {
		l.Summary = &s.Summary
	}
	return l
}
