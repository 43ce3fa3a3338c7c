package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

func (a *app) archivedCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "archived ARCHIVE FILE...",
		Short: "Check that the newest snapshot has local files with their current content",
		Long: `Check that the newest snapshot has local files with their current content. A database's
cleaner runs this before it deletes log files. Each file is read and hashed. Exit code 0 if
the snapshot has all of them, 4 if one is missing; then each missing file is printed, with
the reason.`,
		Example: `  strongroom archived orders /var/lib/orders/00000010.jdb
  strongroom archived --source /var/lib/orders file:///mnt/backup/orders /var/lib/orders/00000010.jdb`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("which archive, and which files? strongroom archived ARCHIVE FILE...")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.archived(c, args[0], dir, args[1:]) },
	}
	c.Flags().Var(pathFlag{&dir}, "source", "the source `DIR` that the files are in (default: the configured source)")
	return c
}

// notArchived is the number of files that the snapshot does not have.
type notArchived int

func (n notArchived) Error() string { return "not archived as they are now: " + plural(int(n), "file") }
func (n notArchived) Unwrap() error { return errNotArchived }

var errNotArchived = errors.New("not archived")

func (a *app) archived(c *cobra.Command, where, dir string, files []string) (err error) {
	if err := noSnapshot("archived", where); err != nil {
		return err
	}
	if dir == "" {
		if isURL(where) {
			return usage("give the directory of the log files with --source DIR")
		}
		conf, err := a.config()
		if err != nil {
			return err
		}
		one, err := namedArchive(conf, where)
		if err != nil {
			return err
		}
		dir = one.Source.Dir
	}
	from, m, err := a.snapshotOf(c.Context(), where, "", archive.NamesBelow(dir, files))
	if err != nil {
		return err
	}
	defer from.close(&err)
	missing, err := from.Archived(c.Context(), m, dir, files)
	if err != nil {
		return err
	}
	report := newArchivedReport(from.name, m, dir, files, missing)
	err = a.print(report, func(w io.Writer) error { return report.print(w) })
	if err == nil && len(missing) > 0 {
		err = notArchived(len(missing))
	}
	return err
}

// archivedReport is what archived prints.
type archivedReport struct {
	Name          string                `json:"archive_name"`
	Snapshot      int64                 `json:"snapshot"`
	Archived      int                   `json:"archived"`
	Unopened      int                   `json:"unopened"`       // archived files that are stored encrypted
	UnopenedBytes int64                 `json:"unopened_bytes"` // their size before encryption
	Missing       []archive.NotArchived `json:"missing"`
}

func newArchivedReport(
	name string, m *manifest.Manifest, dir string, files []string, missing []archive.NotArchived,
) *archivedReport {
	r := &archivedReport{Name: name, Snapshot: m.Sequence, Missing: append([]archive.NotArchived{}, missing...)}
	not := map[string]bool{}
	for _, f := range missing {
		not[f.File] = true
	}
	there := slices.DeleteFunc(slices.Clone(files), func(file string) bool { return not[file] })
	r.Archived = len(there)
	r.Unopened, r.UnopenedBytes = archive.CountEncrypted(m, dir, there)
	return r
}

func (r *archivedReport) print(w io.Writer) error {
	for _, f := range r.Missing {
		fmt.Fprintf(w, "%s: %s\n", f.File, f.Why)
	}
	if len(r.Missing) == 0 {
		fmt.Fprintf(w, "%s: archived as they are now, in snapshot %d: %s\n", r.Name, r.Snapshot, plural(r.Archived, "file"))
	}
	if r.Unopened == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "note: encrypted content was not decrypted: %s, %s; "+
		"strongroom verify --read-data --identity FILE checks it\n",
		plural(r.Unopened, "file"), size(r.UnopenedBytes))
	return err
}
