package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

func (a *app) verifyCommand() *cobra.Command {
	var o archive.VerifyOptions
	var sample string
	var r repairFlags
	var thaw thawFlags
	c := &cobra.Command{
		Use:   "verify ARCHIVE[@S]...",
		Short: "Check an archive against its manifests, and repair it",
		Long: `Check an archive against its manifests: the chain of manifests, each manifest, and the
presence and size of every object. Only --read-data finds damaged bytes: it fetches and
hashes all objects; --sample does so for a part of them, starting with those that were not
read for the longest time. The result for a whole archive is recorded in the archive.
--repair restores missing and damaged objects from copies (--from) or, if nothing was
compressed or encrypted, from the configured source. Exit code 3 if a problem was found
and not repaired.`,
		Example: `  strongroom verify orders
  strongroom verify --read-data orders@42
  strongroom verify --sample 5% orders
  strongroom verify --repair --from file:///mnt/copy/orders orders`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one archive: strongroom verify ARCHIVE[@S]...")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if sample != "" {
				var err error
				if o.Sample, err = config.ParsePercent(sample); err != nil {
					return usageError{fmt.Errorf("--sample: %w", err)}
				}
			}
			var err error
			if o.Thaw, err = thaw.options(c); err != nil {
				return err
			}
			if o.Thaw != nil && !o.ReadData {
				return usage("--thaw needs --read-data: nothing else that verify does reads frozen objects")
			}
			return a.verifyAll(c, args, o, &r)
		},
	}
	c.Flags().BoolVar(&o.Checksums, "checksums", false, "compare the provider's checksum of every object")
	c.Flags().BoolVar(&o.ReadData, "read-data", false, "fetch and hash all objects")
	c.Flags().StringVar(&sample, "sample", "", "fetch and hash this part of the stored bytes, such as 5%")
	c.Flags().BoolVar(&r.repair, "repair", false, "restore missing and damaged objects")
	c.Flags().StringArrayVar(&r.from, "from", nil, "with --repair: restore objects from this copy of the archive, "+
		"a `URL` or a name (repeatable)")
	c.Flags().Var(pathFlag{&r.source}, "source", "with --repair and a URL: restore objects from the log files in `DIR`")
	c.Flags().BoolVar(&r.noProof, "no-proof", false, "do not record the result in the archive")
	a.identityFlag(c)
	thaw.add(c)
	return c
}

// problems is the number of problems that verify has printed.
type problems int

func (p problems) Error() string { return plural(int(p), "problem") + " found" }
func (p problems) Unwrap() error { return archive.ErrDamaged }

type verified struct {
	Name string `json:"archive_name"`
	*archive.VerifyReport
	Stopped bool  `json:"stopped,omitempty"` // the repair ended with an error
	MS      int64 `json:"ms"`
}

func (a *app) verifyAll(c *cobra.Command, args []string, o archive.VerifyOptions, rep *repairFlags) error {
	if err := rep.check(args); err != nil {
		return err
	}

	// Several snapshots of one archive are verified together.
	var order []string
	wanted := map[string][]archive.Selector{}
	whole := map[string]bool{}
	for _, arg := range args {
		where, which, err := selector(arg, "")
		if err != nil {
			return err
		}
		if _, seen := wanted[where]; !seen {
			order = append(order, where)
		}
		wanted[where] = append(wanted[where], which)
		whole[where] = whole[where] || where == arg
	}
	reports := []verified{}
	var found problems
	var failed error
	for _, where := range order {
		o.Snapshots = wanted[where]
		if whole[where] {
			o.Snapshots = nil
		}
		r, err := a.verify(c, where, o, rep)
		if r != nil {
			reports = append(reports, *r)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			if c.Context().Err() != nil {
				break
			}
			continue
		}
		found += problems(len(r.Problems))
		if r.Unthawed > 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: %s could not be read back: %w; "+
				"--read-data with --thaw=TIER thaws what it reads", r.Name, plural(r.Unthawed, "object"), store.ErrFrozen))
		}
	}
	if len(reports) == 0 {
		return failed
	}
	err := a.print(reports, func(w io.Writer) error {
		for i := range reports {
			reports[i].print(w, &o)
		}
		return nil
	})
	if err == nil && found > 0 {
		err = found
	}
	return errors.Join(err, failed)
}

func (a *app) verify(c *cobra.Command, where string, o archive.VerifyOptions, rep *repairFlags) (_ *verified, err error) {
	from, err := a.open(c.Context(), where)
	if err != nil {
		return nil, err
	}
	defer from.close(&err)
	o.Proof, o.Tool = !rep.noProof, tool()
	if rep.repair {
		var done func()
		if o.Repair, done, err = a.repairFrom(c.Context(), where, rep); err != nil {
			return nil, err
		}
		defer done()
	}
	stop := a.watch(c.Context(), "verify", from.progress)
	defer stop()
	start := time.Now()
	report, err := from.Verify(c.Context(), o)
	ms := time.Since(start).Milliseconds()
	if err != nil {
		err = about(from.name, "verifying "+from.name, err)
		if report == nil {
			return nil, err
		}
		return &verified{from.name, report, true, ms}, err
	}
	if report.Unproven != "" {
		a.log.Warn("the result is not recorded in the archive; --no-proof skips recording it",
			"archive", from.name, "error", report.Unproven)
	}
	if len(report.Problems) > 0 && rep.nowhere(where) {
		a.log.Warn("nothing to repair from: name a copy of the archive with --from, "+
			"or the directory of the log files with --source", "archive", from.name)
	}
	return &verified{from.name, report, false, ms}, nil
}

func (v *verified) print(w io.Writer, o *archive.VerifyOptions) {
	for _, p := range v.Problems {
		detail := advice.Findings(p.Detail)
		if p.RepairError != "" {
			detail += "; it cannot be repaired: " + advice.Findings(p.RepairError)
		}
		fmt.Fprintf(w, "%s: %s: %s\n", p.Kind, p.Object, detail)
		if len(p.Files) > 0 {
			fmt.Fprintf(w, "    log files: %s\n", strings.Join(p.Files, ", "))
		}
		if len(p.Snapshots) > 0 {
			fmt.Fprintf(w, "    snapshots: %s\n", numbers(p.Snapshots))
		}
	}
	for i, p := range v.Repaired {
		if slices.ContainsFunc(v.Repaired[:i], func(q archive.Problem) bool { return q.Object == p.Object }) {
			continue // the object had several problems
		}
		was := map[bool]string{true: "missing", false: "damaged"}[p.Kind == archive.ProblemMissing]
		fmt.Fprintf(w, "repaired: %s was %s\n", p.Object, was)
		if strings.HasPrefix(p.Object, manifest.LedgerPrefix) {
			fmt.Fprintln(w, "note: every snapshot is now held, since the lost record may have held any of them; "+
				"use strongroom release for those that were not held")
		}
	}
	if r := v.Renewed; r != nil {
		fmt.Fprintf(w, "stored again: snapshot %d has the content of %s again, %s, from another destination\n",
			r.Snapshot, plural(r.Files, "log file"), size(r.Bytes))
	}
	for _, d := range v.Damaged {
		fmt.Fprintf(w, "note: %s was damaged when it was archived; in snapshots %s\n",
			d.File, numbers(d.Snapshots))
	}
	verdict := "all objects exist"
	switch {
	case v.Stopped:
		verdict = "the repair stopped; " + plural(len(v.Problems), "problem") + " left"
	case len(v.Problems) > 0:
		verdict = plural(len(v.Problems), "problem")
	case v.Snapshots == 0:
		verdict = "no snapshot; if there was one, all manifests are missing"
	case v.Unthawed > 0:
		verdict = fmt.Sprintf("all objects exist, and %s could not be read back (%s read)",
			plural(v.Unthawed, "object"), size(v.ReadStored))
	case o.Sample > 0 && !o.ReadData:
		verdict = fmt.Sprintf("all objects exist, and the sample is right (%s, %s)",
			plural(v.ReadObjects, "object"), size(v.ReadBytes))
	case o.ReadData && v.Unopened > 0:
		verdict = fmt.Sprintf("all objects exist and every stored byte is right (%s read)", size(v.ReadStored))
	case o.ReadData:
		verdict = fmt.Sprintf("all objects exist and every byte is right (%s read)", size(v.ReadBytes))
	}
	fmt.Fprintf(w, "%s: %s, %s, %s: %s\n",
		v.Name, plural(v.Snapshots, "snapshot"), plural(v.Objects, "object"), size(v.Bytes), verdict)
	if c := v.Coverage; !c.Since.IsZero() && (o.ReadData || o.Sample > 0) {
		fmt.Fprintf(w, "read back so far: %d of %s, %s of %s, since %s\n",
			c.Read, plural(c.Objects, "object"), size(c.ReadBytes), size(c.Bytes), stamp(c.Since))
	}
	if o.Checksums && !o.ReadData {
		fmt.Fprintf(w, "checksums: %s compared; %d have no checksum to compare, and only --read-data checks those\n",
			plural(v.Compared, "object"), v.Uncompared)
	}
	if v.Frozen > 0 {
		fmt.Fprintf(w, "note: %s in the storage class %s: they must be thawed (--thaw), which may take hours, before a restore\n",
			plural(v.Frozen, "object"), strings.Join(v.FrozenClasses, " or "))
	}
	if v.Unopened > 0 {
		fmt.Fprintf(w, "note: no identity was given (--identity) for %s with %s encrypted: "+
			"the stored bytes are right, but their content was not checked; it needs the identity of %s\n",
			plural(v.Unopened, "part"), size(v.UnopenedBytes),
			strings.Join(v.Recipients[:min(len(v.Recipients), 20)], " or "))
	}
	for i, n := range v.Nested {
		if i == maxNestedShown {
			break
		}
		fmt.Fprintf(w, "note: another archive is within this one, at the prefix %s, with %s: use separate URLs\n",
			n.Prefix, plural(n.Objects, "object"))
	}
	for i, key := range v.Ignored {
		if i == maxNestedShown {
			break
		}
		fmt.Fprintf(w, "note: %s counts for nothing: its number is far above the others. Find out who created it\n", key)
	}
	for _, blocked := range v.Blocked {
		fmt.Fprintf(w, "note: %s\n", blocked)
	}
	if v.Unreferenced > 0 {
		why := "left by runs that were interrupted or lost a race"
		if slices.ContainsFunc(v.Problems, func(p archive.Problem) bool {
			return strings.HasPrefix(p.Object, "manifests/") || strings.HasPrefix(p.Object, "pages/")
		}) {
			why = "not named by any readable manifest or page"
		}
		fmt.Fprintf(w, "note: %s %s\n", plural(v.Unreferenced, "object"), why)
	}
}

// numbers formats ascending snapshot numbers, with consecutive ones as a range: "1-3, 7".
func numbers(list []int64) string {
	var all []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		one := strconv.FormatInt(list[i], 10)
		if j > i {
			one += "-" + strconv.FormatInt(list[j], 10)
		}
		all = append(all, one)
		i = j + 1
	}
	return strings.Join(all, ", ")
}
