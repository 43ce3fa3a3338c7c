package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/config"
)

// pruneFlags are the flags of prune.
type pruneFlags struct {
	policy  retention.Policy
	within  string
	forget  []int64
	dryRun  bool
	objects bool
	limited bool

	accepted archive.Acceptance
}

func (a *app) pruneCommand() *cobra.Command {
	var p pruneFlags
	c := &cobra.Command{
		Use:   "prune ARCHIVE...",
		Short: "Remove the snapshots that the retention does not keep, and their objects",
		Long: `Remove the snapshots that no rule of the retention keeps, and every object that no kept
snapshot needs. If any rule is given here, the rules of the configuration do not apply.
A rule such as --keep-daily N keeps one snapshot of each of the last N days that have one.
The newest snapshot and held snapshots are always kept. Backups may run concurrently, on
any host. --dry-run shows which rule keeps each snapshot, and which would be removed. With
--limit, for cron, a prune that would remove unusually many snapshots stops with exit code
5. Exit code 1 if an object could not be deleted, for instance since it is locked.`,
		Example: `  strongroom prune --dry-run orders
  strongroom prune --keep-last 96 --keep-daily 14 --keep-monthly 12 orders
  strongroom prune --limit orders`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one archive: strongroom prune ARCHIVE...")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.pruneAll(c, args, p) },
	}
	f := c.Flags()
	f.IntVar(&p.policy.Last, "keep-last", 0, "keep the last `N` snapshots")
	f.IntVar(&p.policy.Hourly, "keep-hourly", 0, "keep one of each of the last `N` hours that have a snapshot")
	f.IntVar(&p.policy.Daily, "keep-daily", 0, "keep one of each of the last `N` days")
	f.IntVar(&p.policy.Weekly, "keep-weekly", 0, "keep one of each of the last `N` weeks")
	f.IntVar(&p.policy.Monthly, "keep-monthly", 0, "keep one of each of the last `N` months")
	f.IntVar(&p.policy.Yearly, "keep-yearly", 0, "keep one of each of the last `N` years")
	f.StringVar(&p.within, "keep-within", "", "keep all snapshots made within `DURATION` before the newest, "+
		"such as 48h or 7d")
	f.Int64SliceVar(&p.forget, "forget", nil, "drop snapshot `N`, whose manifest cannot be read")
	f.Lookup("forget").DefValue = "" // hides the default in the help
	f.BoolVar(&p.dryRun, "dry-run", false, "print what would be removed, and change nothing")
	f.BoolVar(&p.limited, "limit", false, "apply the limit of scheduled prunes: prune_limit in the configuration")
	confirmFlag(f, &p.accepted)
	f.BoolVar(&p.objects, "objects", false, "list each object that is deleted, with the reason")
	return c
}

type prunedArchive struct {
	Name      string           `json:"archive_name"`
	DryRun    bool             `json:"dry_run"`
	Snapshots []prunedSnapshot `json:"snapshots"`
	*archive.PruneReport
	Saves   *cost.MonthPrice `json:"saves,omitempty"` // in a dry run: what a month of what it would delete costs
	Refused string           `json:"refused,omitempty"`
	Objects []archive.Pruned `json:"objects,omitempty"`
	MS      int64            `json:"ms"`

	objects bool
}

type prunedSnapshot struct {
	Sequence int64     `json:"sequence"`
	Created  time.Time `json:"created,omitzero"`
	Keep     bool      `json:"keep"`
	Hollow   string    `json:"hollow,omitempty"`
	Why      []string  `json:"why"`
}

func (a *app) pruneAll(c *cobra.Command, args []string, p pruneFlags) error {
	if p.within != "" {
		var err error
		if p.policy.Within, err = config.ParseDuration(p.within); err != nil {
			return usageError{fmt.Errorf("--keep-within: %w", err)}
		}
	}
	if len(p.forget) > 0 && len(args) > 1 {
		return usage("--forget drops a snapshot of one archive; name one")
	}
	all := []prunedArchive{}
	var failed error
	for _, where := range args {
		r, err := a.prune(c, where, p)
		if r != nil {
			all = append(all, *r)
		}
		failed = errors.Join(failed, err)
		if c.Context().Err() != nil {
			break
		}
	}
	if len(all) == 0 {
		return failed
	}
	err := a.print(all, func(w io.Writer) error {
		for i := range all {
			if err := all[i].print(w); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, failed)
}

func (a *app) prune(c *cobra.Command, where string, p pruneFlags) (_ *prunedArchive, err error) {
	if err := noSnapshot("prune", where); err != nil {
		return nil, err
	}
	policy, limit, err := a.retention(c, where, &p)
	if err != nil {
		return nil, err
	}
	from, err := a.open(c.Context(), where)
	if err != nil {
		return nil, err
	}
	defer from.close(&err)
	out := &prunedArchive{Name: from.name, DryRun: p.dryRun, objects: p.objects}
	o := archive.PruneOptions{Retention: policy, Forget: p.forget, DryRun: p.dryRun, Acceptance: p.accepted}
	if p.limited || p.dryRun {
		o.Limit, o.FirstRecord = limit, p.limited
	}
	if p.objects {
		o.Object = func(one archive.Pruned) { out.Objects = append(out.Objects, one) }
	}
	start := time.Now()
	r, err := from.Prune(c.Context(), o)
	if err != nil {
		if r.Deleted.All() > 0 && !p.dryRun {
			a.log.Info("some objects were deleted before the failure; the same command continues",
				"archive", from.name, "objects", r.Deleted.All())
		}
		return nil, about(from.name, "pruning "+from.name, advise(from.name, err))
	}
	out.PruneReport, out.MS = r, time.Since(start).Milliseconds()
	if p.dryRun {
		out.Saves = a.prices(from.url).PriceMonth(r.Classes)
	}
	if r.Refused != nil {
		out.Refused = r.Refused.Error()
	}
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		one := prunedSnapshot{v.Sequence, v.Created, v.Keep, v.Hollow, []string{}}
		for _, why := range v.Why {
			one.Why = append(one.Why, why.String())
		}
		out.Snapshots = append(out.Snapshots, one)
	}
	for _, w := range nestedWarnings(r) {
		a.log.Warn(w, "archive", from.name)
	}
	if n := r.Failed.All(); n > 0 {
		for _, line := range r.Failures {
			a.log.Error("not deleted", "archive", from.name, "error", line)
		}
		return out, fmt.Errorf("%s: %s (%s) could not be deleted; run the same command again once "+
			"no lock or permission prevents it", from.name, plural(n, "object"), size(r.Failed.Bytes))
	}
	return out, nil
}

// maxNestedShown is how many nested archives are named.
const maxNestedShown = 10

// nestedWarnings returns a warning for each archive that is within another one. Only an operator
// can separate them.
func nestedWarnings(r *archive.PruneReport) []string {
	const apart = ": copy one of the two to a separate URL, and remove it here"
	var all []string
	for i, n := range r.Nested {
		if i == maxNestedShown {
			all = append(all, fmt.Sprintf("%d more archives are within this one", len(r.Nested)-i))
			break
		}
		all = append(all, fmt.Sprintf("another archive is within this one, at the prefix %s; "+
			"prune deletes nothing below it%s", n.Prefix, apart))
	}
	if r.Within != "" {
		all = append(all, fmt.Sprintf("this archive is within the one at %s%s", r.Within, apart))
	}
	return all
}

// retention returns the policy of the command line or, if that has none, of the configuration.
// The policy is nil if only --forget is given. The limit is that of the configuration, or the
// default.
func (a *app) retention(c *cobra.Command, where string, p *pruneFlags) (*retention.Policy, retention.Limit, error) {
	given := false
	for _, name := range []string{"last", "hourly", "daily", "weekly", "monthly", "yearly", "within"} {
		given = given || c.Flags().Changed("keep-"+name)
	}
	policy, limit := p.policy, retention.DefaultLimit()
	if !isURL(where) && !strings.Contains(where, "/") {
		conf, err := a.config()
		if err != nil {
			return nil, limit, err
		}
		one, err := namedArchive(conf, where)
		if err != nil {
			return nil, limit, err
		}
		policy.Location = one.Location()
		if one.Retention != nil {
			limit = one.Retention.PruneLimit
			if !given {
				policy = one.Retention.Policy(one.Location())
				return &policy, limit, nil
			}
		}
	}
	switch {
	case !given && len(p.forget) > 0:
		return nil, limit, nil
	case !given:
		return nil, limit, usage("%s has no retention in the configuration; "+
			"give at least one rule, such as --keep-last 96 --keep-daily 14", shortName(where))
	}
	if err := policy.Validate(); err != nil {
		return nil, limit, usageError{err}
	}
	return &policy, limit, nil
}

func (p *prunedArchive) print(w io.Writer) error {
	if p.DryRun {
		rows := [][]string{{"SNAPSHOT", "CREATED", "KEPT BY"}}
		for _, s := range p.Snapshots {
			created, why := "-", "(removed)"
			if !s.Created.IsZero() {
				created = stamp(s.Created)
			}
			if s.Keep {
				why = strings.Join(s.Why, ", ")
			}
			rows = append(rows, []string{strconv.FormatInt(s.Sequence, 10), created, why})
		}
		if err := table(w, rows); err != nil {
			return err
		}
	}
	for _, o := range p.Objects {
		fmt.Fprintf(w, "%s  %s  %s\n", o.Key, size(o.Size), o.Why)
	}
	removed, gone := "no snapshot is removed", "deleted"
	if n := len(p.Removed); n > 0 {
		removed = fmt.Sprintf("%s removed (%s)", plural(n, "snapshot"), numbers(p.Removed))
	}
	if p.DryRun {
		removed = strings.Replace(removed, "removed (", "would be removed (", 1)
		removed, gone = strings.Replace(removed, "is removed", "would be removed", 1), "would be deleted"
	}
	kept := len(p.Snapshots) - len(p.Removed)
	objects := fmt.Sprintf("; %s, %s, %s", plural(p.Deleted.All(), "object"), size(p.Deleted.Bytes), gone)
	if p.Deleted.All() == 0 {
		objects = "; no object to delete"
	}
	_, err := fmt.Fprintf(w, "%s: %s, %d kept%s\n", p.Name, removed, kept, objects)
	if p.DryRun && p.Deleted.All() > 0 && err == nil {
		_, err = fmt.Fprintln(w, p.saves())
	}
	if p.Missing > 0 && err == nil {
		_, err = fmt.Fprintf(w, "note: %s that kept snapshots need %s missing; objects that may be those "+
			"are not deleted: see strongroom verify\n",
			plural(p.Missing, "object"), map[bool]string{true: "is", false: "are"}[p.Missing == 1])
	}
	if n := p.hollow(); n > 0 && err == nil {
		_, err = fmt.Fprintf(w, "note: %s hollow: empty, or without most earlier files and without new files; "+
			"no rule counts a hollow snapshot\n",
			plural(n, "snapshot")+map[bool]string{true: " is", false: " are"}[n == 1])
	}
	if p.Refused != "" && err == nil {
		_, err = fmt.Fprintf(w, "note: a scheduled prune, or one with --limit, would stop: %s\n", p.Refused)
	}
	if p.Foreign > 0 && err == nil {
		_, err = fmt.Fprintf(w, "note: %s that do not belong to the archive are not deleted\n",
			plural(p.Foreign, "object"))
	}
	for i, n := range p.Nested {
		if err != nil || i == maxNestedShown {
			break
		}
		_, err = fmt.Fprintf(w, "note: %s below %s belong to another archive and are not deleted\n",
			plural(n.Objects, "object"), n.Prefix)
	}
	return err
}

func (p *prunedArchive) hollow() (n int) {
	for _, s := range p.Snapshots {
		if s.Hollow != "" {
			n++
		}
	}
	return n
}
