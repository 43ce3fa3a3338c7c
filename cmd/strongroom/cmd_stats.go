package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/providers"
)

func (a *app) statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats [ARCHIVE...]",
		Short: "Show what archives store, what a month costs, and how they grow",
		Long: `Show the bytes of archives by kind and encoding of the objects and by storage class, how much
of it is unique content, what a month of storage costs with the prices of the configuration,
by how much they grow per day, and when they reach twice the size or fill the disk. Without
arguments, it shows all archives of the configuration.`,
		Example: `  strongroom stats
  strongroom stats --json orders`,
		RunE: a.stats,
	}
}

// archiveStats is an entry of stats --json.
type archiveStats struct {
	Name      string        `json:"archive_name"`
	Snapshots int           `json:"snapshots"`
	Unread    int           `json:"unreadable_snapshots"` // of these; no figure but the objects' includes them
	HasMore   bool          `json:"more_snapshots"`       // there are older ones, too, which the growth does not consider
	Objects   int64         `json:"objects"`
	Bytes     int64         `json:"bytes"`
	Stored    []cost.Stored `json:"stored"`

	Content       []archive.StoredKind `json:"content"`
	Unique        archive.Unique       `json:"unique"`
	SnapshotBytes int64                `json:"snapshot_bytes"` // of the files of the readable ones, each restored by itself
	Newest        *newestStats         `json:"newest"`         // null if no snapshot can be read

	Price    *cost.MonthPrice `json:"price"`  // null without prices
	Growth   *growthStats     `json:"growth"` // null if the snapshots show none
	Forecast []forecast       `json:"forecast"`
	Free     *int64           `json:"free"` // bytes on the file system of a file:// destination; null if unknown
}

// newestStats has the size of the newest snapshot.
type newestStats struct {
	Sequence    int64 `json:"sequence"`
	Bytes       int64 `json:"bytes"`        // of its files
	StoredBytes int64 `json:"stored_bytes"` // of the parts of objects that it needs
}

// growthStats is the growth, without figures per day if the snapshots show too little for them.
type growthStats struct {
	*cost.Growth
	StoredPerDay *int64 `json:"stored_per_day"`
	SizePerDay   *int64 `json:"size_per_day"`
}

// newGrowth returns the growth to print; nil for nil.
func newGrowth(g *cost.Growth) *growthStats {
	switch {
	case g == nil:
		return nil
	case !g.IsEnough:
		return &growthStats{Growth: g}
	}
	return &growthStats{g, &g.StoredPerDay, &g.SizePerDay}
}

// forecast is a size of the archive in the future, if nothing is pruned.
type forecast struct {
	What  string           `json:"what"`
	At    *time.Time       `json:"at"` // null: not within a hundred years
	Bytes int64            `json:"bytes"`
	Price *cost.MonthPrice `json:"price"`
}

// What a forecast is about.
const (
	inAMonth = "30 days"
	inAYear  = "365 days"
	twice    = "twice the size"
	diskFull = "disk full"
)

func (a *app) stats(c *cobra.Command, args []string) error {
	args, err := a.orAll(args)
	if err != nil {
		return err
	}
	for _, where := range args {
		if err := noSnapshot("stats", where); err != nil {
			return err
		}
	}
	all := []archiveStats{}
	var failed error
	for _, where := range args {
		s, err := a.statsOf(c, where)
		failed = errors.Join(failed, err)
		if s != nil {
			all = append(all, *s)
		}
		if c.Context().Err() != nil {
			break
		}
	}
	if len(all) == 0 {
		return failed
	}
	err = a.print(all, func(w io.Writer) error {
		for i := range all {
			if err := all[i].print(w); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, failed)
}

// statsOf returns the figures of an archive. It returns them with an error if snapshots cannot be read.
func (a *app) statsOf(c *cobra.Command, where string) (_ *archiveStats, err error) {
	o, err := a.open(c.Context(), where)
	if err != nil {
		return nil, err
	}
	defer o.close(&err)
	s, err := o.Stats(c.Context())
	if err != nil {
		return nil, about(o.name, "reading the size of "+o.name, err)
	}
	return newStats(o.name, s, a.prices(o.url), freeBytes(o.url), time.Now()), unreadable(where, s.Snapshots)
}

// freeBytes returns the free bytes on the file system of a file:// destination; nil if they are unknown.
func freeBytes(url string) *int64 {
	dir := providers.LocalDir(url)
	if dir == "" {
		return nil
	}
	if free, ok := disk.Free(dir); ok {
		return &free
	}
	return nil
}

// newStats returns the figures of an archive, with a forecast if enough snapshots show the growth.
func newStats(name string, s *archive.Stats, prices *cost.Prices, free *int64, now time.Time) *archiveStats {
	out := &archiveStats{
		Name: name, Snapshots: len(s.Snapshots), Unread: s.Unreadable(), HasMore: s.HasMore, Bytes: s.Bytes(), Stored: s.Stored,
		Content: s.Content, Unique: s.Unique, SnapshotBytes: s.SnapshotBytes(),
		Price: prices.PriceMonth(s.Stored), Growth: newGrowth(s.Growth), Forecast: []forecast{}, Free: free,
	}
	for _, class := range s.Stored {
		out.Objects += class.Objects
	}
	if n := s.Newest(); n != nil {
		out.Newest = &newestStats{n.Sequence, n.Counts.Bytes, n.Counts.StoredBytes}
	}
	g := s.Growth
	if g == nil || !g.IsEnough || out.Bytes == cost.Unbounded {
		return out
	}
	for _, ahead := range []struct {
		what string
		days int
	}{{inAMonth, 30}, {inAYear, 365}} {
		at, bytes := now.AddDate(0, 0, ahead.days).UTC(), g.After(out.Bytes, int64(ahead.days))
		out.Forecast = append(out.Forecast, forecast{ahead.what, &at, bytes, out.Price.Scaled(out.Bytes, bytes)})
	}
	out.reach(now, twice, cost.Sum(out.Bytes, out.Bytes))
	if free != nil {
		out.reach(now, diskFull, cost.Sum(out.Bytes, *free))
	}
	return out
}

// reach adds when the archive has a size.
func (s *archiveStats) reach(now time.Time, what string, bytes int64) {
	f := forecast{What: what, Bytes: bytes, Price: s.Price.Scaled(s.Bytes, bytes)}
	if at, ok := s.Growth.When(now, s.Bytes, bytes); ok {
		at = at.UTC().Truncate(time.Second)
		f.At = &at
	}
	s.Forecast = append(s.Forecast, f)
}

func (s *archiveStats) print(w io.Writer) error {
	least := map[bool]string{true: "at least "}[s.HasMore]
	fmt.Fprintf(w, "%s: %s%s, %s, %s\n", s.Name, least, plural(s.Snapshots, "snapshot"), plural(s.Objects, "object"),
		sizeAtLeast(s.Bytes))
	if s.Unread > 0 {
		fmt.Fprintf(w, "%s cannot be read: the sizes of files and the growth do not include what is in %s\n", plural(s.Unread, "snapshot"),
			map[bool]string{true: "it", false: "them"}[s.Unread == 1])
	}
	rows := [][]string{{"KIND", "ENCODING", "OBJECTS", "BYTES"}}
	for _, k := range s.Content {
		rows = append(rows, []string{k.Kind, cmp.Or(k.Encoding, "plain"), strconv.FormatInt(k.Objects, 10), sizeAtLeast(k.Bytes)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n\n", s.uniqueText())
	rows = [][]string{{"CLASS", "OBJECTS", "BYTES"}}
	for _, c := range s.Stored {
		rows = append(rows, []string{cost.ClassName(c.Class), strconv.FormatInt(c.Objects, 10), sizeAtLeast(c.Bytes)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	price := "what it costs is not known: " + noPrices
	if s.Price != nil {
		price = "it costs " + s.Price.String()
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", price, s.growthText())
	for i := range s.Forecast {
		if err == nil {
			_, err = fmt.Fprintln(w, s.Forecast[i].String())
		}
	}
	return err
}

// sizeAtLeast formats a number of bytes that may not fit.
func sizeAtLeast(n int64) string {
	if n == cost.Unbounded {
		return "at least " + size(n)
	}
	return size(n)
}

// uniqueText describes how often content is stored, and what is saved over a full copy for each snapshot.
func (s *archiveStats) uniqueText() string {
	u := &s.Unique
	text := fmt.Sprintf("unique content: %s in %s", sizeAtLeast(u.Bytes), plural(u.Contents, "data object"))
	if u.Repeats > 0 {
		text += fmt.Sprintf("; repeats of it: %s in %s", sizeAtLeast(u.RepeatBytes), plural(u.Repeats, "data object"))
	}
	if s.Newest == nil {
		return text
	}
	least := map[bool]string{true: "at least "}[s.HasMore]
	which, newest := "all snapshots", "the newest"
	if s.Unread > 0 {
		which, newest = "the "+plural(s.Snapshots-s.Unread, "readable snapshot"), fmt.Sprintf("snapshot %d", s.Newest.Sequence)
	}
	return text + fmt.Sprintf("\nthe files of %s are %s%s, stored in %s; those of %s are %s, stored in %s", which, least,
		sizeAtLeast(s.SnapshotBytes), sizeAtLeast(s.Bytes), newest, size(s.Newest.Bytes), size(s.Newest.StoredBytes))
}

// growthText describes the growth, and why there is no forecast.
func (s *archiveStats) growthText() string {
	if s.Growth == nil {
		return "there is no forecast: no two snapshots follow each other directly and show what was stored between them"
	}
	g := s.Growth.Growth
	if g.StoredPerDay == cost.Unbounded {
		return "there is no forecast: the snapshots have figures that no database can have"
	}
	if !g.IsEnough {
		return "there is no growth per day yet: " + strings.Join(lacking(g), "; ")
	}
	from, until := g.Since.UTC().Format(time.DateOnly), g.Until.UTC().Format(time.DateOnly)
	text := fmt.Sprintf("%s were stored per day, as %s from %s to %s show", size(g.StoredPerDay), plural(g.Snapshots, "snapshot"),
		from, until)
	switch {
	case g.SizePerDay == cost.Unbounded || g.SizePerDay == -cost.Unbounded:
	case g.SizePerDay > 0:
		text += fmt.Sprintf("; one snapshot became larger by %s per day", size(g.SizePerDay))
	case g.SizePerDay < 0:
		text += fmt.Sprintf("; one snapshot became smaller by %s per day", size(-g.SizePerDay))
	}
	if span := g.Until.Sub(g.Since); g.MeasuredMS < span.Milliseconds()/2 {
		text += fmt.Sprintf("; what was stored for pruned snapshots is not known, so this comes from %s of %s", hours(g.MeasuredMS),
			hours(span.Milliseconds()))
	}
	if s.Bytes == cost.Unbounded {
		return text + "; there is no forecast, since the size of the archive is not known"
	}
	return text + "; if nothing is pruned, this means:"
}

// lacking returns what a growth needs for figures per day, and has not.
func lacking(g *cost.Growth) (all []string) {
	span, measured := g.Until.Sub(g.Since), time.Duration(g.MeasuredMS)*time.Millisecond
	if g.Snapshots < cost.LeastSnapshots {
		all = append(all, fmt.Sprintf("it needs three snapshots, and there are %d", g.Snapshots))
	}
	if span < cost.LeastSpan {
		all = append(all, fmt.Sprintf("it needs 20 hours from the first snapshot to the last, and there are %s",
			span.Truncate(time.Second)))
	}
	if measured < cost.LeastMeasured {
		all = append(all, fmt.Sprintf("it needs an hour between snapshots and their predecessors, and there are %s",
			measured.Truncate(time.Second)))
	}
	return all
}

// hours returns milliseconds in hours, or in days if they are many.
func hours(ms int64) string {
	if h := (ms + 1_800_000) / 3_600_000; h < 48 {
		return plural(h, "hour")
	}
	return plural((ms+43_200_000)/86_400_000, "day")
}

// String returns the line of a forecast.
func (f *forecast) String() string {
	price := ""
	if f.Price != nil && len(f.Price.Unknown) == 0 {
		price = ", " + f.Price.String()
	}
	switch f.What {
	case inAMonth, inAYear:
		return fmt.Sprintf("in %s: %s%s", f.What, sizeAtLeast(f.Bytes), price)
	}
	what := "twice the size"
	if f.What == diskFull {
		what, price = "the disk of the destination is full", ""
	}
	if f.At == nil {
		return what + ": not within a hundred years"
	}
	return fmt.Sprintf("%s: on %s, at %s%s", what, f.At.Format(time.DateOnly), size(f.Bytes), price)
}
