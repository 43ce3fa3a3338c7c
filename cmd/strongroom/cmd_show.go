package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// snapshotArgs adds --snapshot, which names the snapshot of an ARCHIVE argument.
func snapshotArgs(c *cobra.Command, flag *string) {
	c.Flags().Var(snapshotFlag{flag}, "snapshot", "the snapshot `S`: a number, latest, or a time; "+
		"the same as @S at the end of the argument")
}

// snapshot opens an archive and reads the snapshot that the argument or the flag names.
func (a *app) snapshot(ctx context.Context, arg, flag string) (*openArchive, *manifest.Manifest, error) {
	return a.snapshotBy(ctx, arg, flag, (*archive.Archive).Snapshot)
}

// snapshotOf is snapshot for some files: it reads only the pages that can have one of the names.
func (a *app) snapshotOf(ctx context.Context, arg, flag string, names []string) (*openArchive, *manifest.Manifest, error) {
	return a.snapshotBy(ctx, arg, flag,
		func(x *archive.Archive, ctx context.Context, which archive.Selector) (*manifest.Manifest, error) {
			return x.SnapshotOf(ctx, which, names)
		})
}

func (a *app) snapshotBy(
	ctx context.Context, arg, flag string,
	read func(*archive.Archive, context.Context, archive.Selector) (*manifest.Manifest, error),
) (*openArchive, *manifest.Manifest, error) {
	where, which, err := selector(arg, flag)
	if err != nil {
		return nil, nil, err
	}
	o, err := a.open(ctx, where)
	if err != nil {
		return nil, nil, err
	}
	m, err := read(o.Archive, ctx, which)
	if err != nil {
		o.bucket.Close()
		return nil, nil, fmt.Errorf("reading snapshot %s of %s: %w", which, o.name, err)
	}
	return o, m, nil
}

func (a *app) showCommand() *cobra.Command {
	var which string
	c := &cobra.Command{
		Use:   "show ARCHIVE[@S] [FILE...]",
		Short: "Show the files of a snapshot",
		Long: `Show the files of a snapshot: all of them, or only those with the given names. With names,
only the pages of the manifest that can have them are read.`,
		Example: `  strongroom show orders
  strongroom show orders@42 00000007.jdb
  strongroom show orders@-2h`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which archive? strongroom show ARCHIVE[@S] [FILE...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.show(c.Context(), args[0], which, args[1:]) },
	}
	snapshotArgs(c, &which)
	return c
}

func (a *app) show(ctx context.Context, arg, which string, names []string) (err error) {
	read := a.snapshot
	if len(names) > 0 {
		read = func(ctx context.Context, arg, flag string) (*openArchive, *manifest.Manifest, error) {
			return a.snapshotOf(ctx, arg, flag, names)
		}
	}
	o, m, err := read(ctx, arg, which)
	if err != nil {
		return err
	}
	defer o.close(&err)
	if len(names) > 0 {
		if m, err = only(m, names); err != nil {
			return err
		}
	}
	return a.print(m, func(w io.Writer) error { return showTable(w, m) })
}

// only returns a manifest with the entries of some files alone, and without pages.
func only(m *manifest.Manifest, names []string) (*manifest.Manifest, error) {
	some := *m
	some.Pages, some.Files = nil, nil
	isFound := make(map[string]bool, len(names))
	for _, name := range names {
		isFound[name] = false
	}
	for i := range m.Files {
		if _, isWanted := isFound[m.Files[i].Name]; isWanted {
			some.Files, isFound[m.Files[i].Name] = append(some.Files, m.Files[i]), true
		}
	}
	for _, name := range names {
		if !isFound[name] {
			return nil, fmt.Errorf("show: %w: %q in snapshot %d", archive.ErrNoFile, name, m.Sequence)
		}
	}
	return &some, nil
}

func showTable(w io.Writer, m *manifest.Manifest) error {
	fmt.Fprintf(w, "snapshot %d of %s, made %s on %s by %s\n%s, %s (layout %s), through %s\n",
		m.Sequence, m.Archive, stamp(m.Created), m.Node, m.Tool,
		plural(m.Counts.Files, "file"), size(m.Counts.Bytes), m.Layout, through(&m.Summary))
	if o := m.LeftOut; o != nil {
		fmt.Fprintf(w, "left out %s of the source, such as %s\n", plural(o.Files, "file"), quoteName(o.Example))
	}
	if len(m.Recipients) > 0 {
		fmt.Fprintf(w, "encrypted to %s\n", strings.Join(m.Recipients, ", "))
	}
	if f := m.ForkedFrom; f != nil {
		fmt.Fprintf(w, "begins another history: snapshot %d is the last of the one before\n", f.Sequence)
	}
	if f := m.RewoundFrom; f != nil {
		fmt.Fprintf(w, "the log went back: snapshot %d has entries that were lost since\n", f.Sequence)
	}
	fmt.Fprintln(w)
	rows := [][]string{{"NAME", "SIZE", "MODIFIED", "STATE", "SINCE", "SHA-256"}}
	for i := range m.Files {
		rows = append(rows, fileRow(&m.Files[i]))
	}
	return table(w, rows)
}

func fileRow(f *manifest.File) []string {
	state := string(f.State)
	if f.Damaged() {
		state += fmt.Sprintf(", damaged at %d: %s", *f.Check.At, f.Check.Why)
	}
	return []string{f.Name, strconv.FormatInt(f.Size, 10), stamp(f.Modified), state, strconv.FormatInt(f.Snapshot, 10), f.SHA256.String()}
}

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff ARCHIVE@A ARCHIVE@B",
		Short: "Compare two snapshots",
		Long: `Compare two snapshots of one archive, or of two archives. Print the files that the second
snapshot adds (+), removes (-) and changes (~).`,
		Example: `  strongroom diff orders@41 orders@42`,
		Args:    exactArgs(2, "diff ARCHIVE@A ARCHIVE@B"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			o1, before, err := a.snapshot(c.Context(), args[0], "")
			if err != nil {
				return err
			}
			defer o1.close(&err)
			o2, after, err := a.snapshot(c.Context(), args[1], "")
			if err != nil {
				return err
			}
			defer o2.close(&err)
			d := archive.Diff(before, after)
			return a.print(d, func(w io.Writer) error { return diffTable(w, &d) })
		},
	}
}

func diffTable(w io.Writer, d *archive.Difference) error {
	var rows [][]string
	for i := range d.Removed {
		rows = append(rows, []string{"-", d.Removed[i].Name, size(d.Removed[i].Size), ""})
	}
	for i := range d.Added {
		rows = append(rows, []string{"+", d.Added[i].Name, size(d.Added[i].Size), string(d.Added[i].State)})
	}
	for i := range d.Changed {
		b, n := &d.Changed[i].Before, &d.Changed[i].After
		rows = append(rows, []string{"~", n.Name, size(b.Size) + " to " + size(n.Size), string(b.State) + " to " + string(n.State)})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no differences")
		return err
	}
	return table(w, rows)
}

// exactArgs is cobra.ExactArgs with exit code 2 and the form of the command in its error.
func exactArgs(n int, form string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s needed, %d given: strongroom %s", plural(n, "argument"), len(args), form)
		}
		return nil
	}
}
