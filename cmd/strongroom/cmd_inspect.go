package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/je"
	"github.com/strongroom-dev/strongroom/source/noxu"
)

func (a *app) inspectCommand() *cobra.Command {
	var layout string
	c := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Check local JE or Noxu log files entry by entry",
		Long: `Check local log files of Berkeley DB Java Edition (.jdb) or Noxu (.ndb) entry by entry,
as every backup does: the checksum and the offset of each entry. If the next file is given
too, missing entries at the end of a file are reported. The file that a database is writing
may end within an entry. Exit code 3 if a file is damaged, 4 if a file does not exist.`,
		Example: `  strongroom inspect /var/lib/orders/*.jdb
  strongroom inspect --layout je /tmp/copy-of-a-log-file`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one log file: strongroom inspect FILE...")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.inspectAll(c.Context(), args, layout) },
	}
	c.Flags().StringVar(&layout, "layout", "", "je or noxu, if the file names do not end in .jdb or .ndb")
	return c
}

var (
	errDamaged    = errors.New("damaged")
	errInspected  = fmt.Errorf("%w; an earlier snapshot may have it undamaged", errDamaged) // the output shows where
	errLogDamaged = fmt.Errorf("%w; strongroom inspect FILE shows where; "+
		"an earlier snapshot may have it undamaged", errDamaged)
	errLogLeftOut = errors.New("left out, since it has no valid entry; the archive does not have this file")
	errLogUnknown = errors.New("unknown log version; a later version of strongroom may support it")
	errLogMissing = errors.New("no such file")
)

// inspected is the result of the entry check of one file. Its JSON form is stable.
type inspected struct {
	File       string           `json:"file"`
	Layout     string           `json:"layout"`
	Size       int64            `json:"size"`
	LogVersion uint32           `json:"log_version"`
	Entries    int64            `json:"entries"`
	Types      map[string]int64 `json:"types"`
	VLSNs      int64            `json:"vlsns"`
	Invisible  int64            `json:"invisible"`
	Erased     int64            `json:"erased"`
	Last       int64            `json:"last_entry"`
	End        int64            `json:"end"`
	Result     string           `json:"result"`         // ok, damaged or unknown
	At         *int64           `json:"at,omitempty"`   // offset of the first problem
	Kind       entries.Kind     `json:"kind,omitempty"` // of the first problem
	Why        string           `json:"why,omitempty"`

	seen entries.Result
}

func (a *app) inspectAll(ctx context.Context, names []string, layout string) error {
	kinds := make([]string, len(names))
	for i, name := range names {
		var err error
		if kinds[i], err = inspectLayout(name, layout); err != nil {
			return err
		}
	}
	progress := &archive.Progress{}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			progress.Bytes.Add(info.Size())
		}
	}
	stop := a.watch(ctx, "inspect", progress)
	files, failed := []*inspected{}, error(nil)
	for i, name := range names {
		f, err := inspectFile(ctx, name, kinds[i], progress)
		if err != nil {
			failed = errors.Join(failed, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		files = append(files, f)
	}
	stop()
	chainInspected(files)
	for _, f := range files {
		f.judge()
	}
	err := a.print(files, func(w io.Writer) error { return inspectTable(w, files) })
	return errors.Join(err, inspectVerdict(files), failed)
}

// inspectLayout returns the layout of a file: that of --layout, or that of the file's extension.
func inspectLayout(name, asked string) (string, error) {
	switch suffix := filepath.Ext(name); {
	case asked == "je" || asked == "noxu":
		return asked, nil
	case asked != "":
		return "", usage("--layout %q: use je or noxu; strongroom cannot check the entries of other log files", asked)
	case suffix == ".jdb":
		return "je", nil
	case suffix == ".ndb":
		return "noxu", nil
	}
	return "", usage("%s ends neither in .jdb nor in .ndb; give its layout with --layout je or --layout noxu", name)
}

// inspectReader returns a reader for a file of a layout. The file's header must have the number in
// its name; a renamed file may have any.
func inspectReader(name, layout string) (*entries.Reader, error) {
	l, err := source.NewLayout(source.LayoutOptions{Name: layout})
	if err != nil {
		return nil, usageError{err}
	}
	switch r := l.EntryReader(filepath.Base(name)); {
	case r != nil:
		return r, nil
	case layout == "noxu":
		return noxu.NewReader(entries.AnyNumber), nil
	}
	return je.NewReader(entries.AnyNumber), nil
}

func inspectFile(ctx context.Context, name, layout string, progress *archive.Progress) (*inspected, error) {
	r, err := inspectReader(name, layout)
	if err != nil {
		return nil, err
	}
	f, err := disk.OpenRegular(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("inspecting %s: %w", name, errLogMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("inspecting: %w", err)
	}
	defer f.Close()
	for buf := make([]byte, 256<<10); ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := f.Read(buf)
		r.Write(buf[:n]) // never fails
		progress.BytesDone.Add(int64(n))
		if err == io.EOF {
			return &inspected{File: name, Layout: layout, seen: r.Result()}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("inspecting: %w", err)
		}
	}
}

// chainInspected compares each file with its successor if both are given and in one directory.
func chainInspected(files []*inspected) {
	type place struct {
		dir, layout string
		number      int64
	}
	at := map[place]*inspected{}
	for _, f := range files {
		if f.seen.HeaderSize > 0 {
			at[place{filepath.Dir(f.File), f.Layout, int64(f.seen.Number)}] = f
		}
	}
	for p, f := range at {
		p.number++
		if next := at[p]; next != nil && f.seen.Problem == nil {
			f.seen.Problem = entries.Chain(&f.seen, &next.seen)
		}
	}
}

// judge fills in the fields for the output.
func (f *inspected) judge() {
	s := &f.seen
	f.Size, f.LogVersion, f.Entries, f.Last, f.End = s.Size, s.Version, s.Entries, s.Last, s.End
	f.VLSNs, f.Invisible, f.Erased = s.VLSNs, s.Invisible, s.Erased
	f.Types = map[string]int64{}
	for kind, n := range s.Types {
		if n > 0 {
			f.Types[strconv.Itoa(kind)] = n
		}
	}
	f.Result = "ok"
	if p := s.Problem; p != nil {
		f.Result = "unknown"
		if p.Damaged() {
			f.Result = "damaged"
		}
		f.At, f.Kind, f.Why = &p.Offset, p.Kind, p.Error()
	}
}

func inspectTable(w io.Writer, files []*inspected) error {
	for _, f := range files {
		fmt.Fprintf(w, "%s: %s, %s, log version %d, %s: %s\n",
			quoteName(f.File), f.Result, f.Layout, f.LogVersion, size(f.Size), entryCount(f.Entries))
		var kinds []string
		for kind, n := range f.seen.Types {
			if n > 0 {
				kinds = append(kinds, fmt.Sprintf("%d: %d", kind, n))
			}
		}
		if len(kinds) > 0 {
			fmt.Fprintf(w, "    by type: %s\n", strings.Join(kinds, ", "))
		}
		if f.VLSNs+f.Invisible+f.Erased > 0 {
			fmt.Fprintf(w, "    %d replicated, %d invisible, %d erased\n", f.VLSNs, f.Invisible, f.Erased)
		}
		if f.Why != "" {
			fmt.Fprintf(w, "    %s\n", f.Why)
		}
	}
	return nil
}

// entryCount is plural for entries.
func entryCount(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// inspectVerdict returns an error that names the files with problems, or nil.
func inspectVerdict(files []*inspected) error {
	var damaged, unknown []string
	for _, f := range files {
		switch f.Result {
		case "damaged":
			damaged = append(damaged, f.File)
		case "unknown":
			unknown = append(unknown, f.File)
		}
	}
	say := func(names []string, what error) error {
		if len(names) == 0 {
			return nil
		}
		return fmt.Errorf("%s: %w", strings.Join(names, ", "), what)
	}
	return cmp.Or(say(damaged, errInspected), say(unknown, errLogUnknown))
}
