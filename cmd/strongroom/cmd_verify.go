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
	"github.com/strongroom-dev/strongroom/manifest"
)

func (a *app) verifyCommand() *cobra.Command {
	var o archive.VerifyOptions
	var sample string
	var r repairFlags
	c := &cobra.Command{
		Use:   "verify ARCHIVE[@S]...",
		Short: "Check that an archive holds what its manifests say",
		Long: `Check that an archive holds what its manifests say: the chain of manifests, each of
them, and the presence and size of every object. Only --read-data finds bytes that have
gone bad: it fetches and hashes everything; --sample does so with a part, what was longest
not read back first. What a look at a whole archive finds is kept in the archive. --repair
puts back what is missing or damaged, from copies (--from) or, where nothing was compressed or
encrypted, from the configured source. Exit code 3 when something is wrong, and stays so.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which archive? strongroom verify ARCHIVE[@S]...")
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
			return a.verifyAll(c, args, o, &r)
		},
	}
	c.Flags().BoolVar(&o.Checksums, "checksums", false, "ask the provider for the checksum of every object")
	c.Flags().BoolVar(&o.ReadData, "read-data", false, "fetch and hash everything")
	c.Flags().StringVar(&sample, "sample", "", "fetch and hash this part of the stored bytes, such as 5%")
	c.Flags().BoolVar(&r.repair, "repair", false, "put back what is missing or damaged")
	c.Flags().StringArrayVar(&r.from, "from", nil, "with --repair: take it from this copy of the archive, a `URL` or a name (repeatable)")
	c.Flags().StringVar(&r.source, "source", "", "with --repair and a URL: take it from the log files in this `DIR`")
	c.Flags().BoolVar(&r.noProof, "no-proof", false, "write nothing: do not keep in the archive what was found")
	a.identityFlag(c)
	return c
}

// problems is how many problems verify has printed.
type problems int

func (p problems) Error() string { return plural(int(p), "problem") + " found" }
func (p problems) Unwrap() error { return archive.ErrDamaged }

type verified struct {
	Name string `json:"archive_name"`
	*archive.VerifyReport
	Stopped bool  `json:"stopped,omitempty"` // a repair ended with an error
	MS      int64 `json:"ms"`
}

func (a *app) verifyAll(c *cobra.Command, args []string, o archive.VerifyOptions, rep *repairFlags) error {
	if err := rep.check(args); err != nil {
		return err
	}

	// Several snapshots of one archive are one look at it.
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
		a.log.Warn("what was found is not kept in the archive; --no-proof does without", "archive", from.name, "error", report.Unproven)
	}
	if len(report.Problems) > 0 && rep.nowhere(where) {
		a.log.Warn("say from where to repair: --from, with a copy of the archive, or --source, with the directory of the log files", "archive", from.name)
	}
	return &verified{from.name, report, false, ms}, nil
}

func (v *verified) print(w io.Writer, o *archive.VerifyOptions) {
	for _, p := range v.Problems {
		fmt.Fprintf(w, "%s: %s: %s\n", p.What, p.Object, p.Detail)
		if len(p.Files) > 0 {
			fmt.Fprintf(w, "    log files: %s\n", strings.Join(p.Files, ", "))
		}
		if len(p.Snapshots) > 0 {
			fmt.Fprintf(w, "    snapshots: %s\n", numbers(p.Snapshots))
		}
	}
	for i, p := range v.Repaired {
		if slices.ContainsFunc(v.Repaired[:i], func(q archive.Problem) bool { return q.Object == p.Object }) {
			continue // it had several problems
		}
		fmt.Fprintf(w, "repaired: %s was %s\n", p.Object, map[bool]string{true: "missing", false: "damaged"}[p.What == "missing"])
		if strings.HasPrefix(p.Object, manifest.LedgerPrefix) {
			fmt.Fprintln(w, "note: every snapshot is held now, as nobody knows which were: strongroom release those that were not")
		}
	}
	for _, d := range v.Damaged {
		fmt.Fprintf(w, "note: %s was damaged when it was archived; in snapshots %s\n", d.File, numbers(d.Snapshots))
	}
	verdict := "all is there"
	switch {
	case v.Stopped:
		verdict = "the repair has not ended; " + plural(len(v.Problems), "problem") + " left"
	case len(v.Problems) > 0:
		verdict = plural(len(v.Problems), "problem")
	case v.Snapshots == 0:
		verdict = "there is no snapshot; if there was one, all manifests are gone"
	case o.Sample > 0 && !o.ReadData:
		verdict = fmt.Sprintf("all is there, and what was read back is right (%s, %s)", plural(v.ReadObjects, "object"), size(v.ReadBytes))
	case o.ReadData && v.Unopened > 0:
		verdict = fmt.Sprintf("all is there and every stored byte is right (%s read)", size(v.ReadStored))
	case o.ReadData:
		verdict = fmt.Sprintf("all is there and every byte is right (%s read)", size(v.ReadBytes))
	}
	fmt.Fprintf(w, "%s: %s, %s, %s: %s\n", v.Name, plural(v.Snapshots, "snapshot"), plural(v.Objects, "object"), size(v.Bytes), verdict)
	if c := v.Coverage; !c.Since.IsZero() && (o.ReadData || o.Sample > 0) {
		fmt.Fprintf(w, "read back so far: %d of %s, %s of %s, all of it since %s\n", c.Read, plural(c.Objects, "object"), size(c.ReadBytes), size(c.Bytes), stamp(c.Since))
	}
	if o.Checksums && !o.ReadData {
		fmt.Fprintf(w, "checksums: %s compared; of %d there is none to compare, and only --read-data checks those\n", plural(v.Compared, "object"), v.Uncompared)
	}
	if v.Unopened > 0 {
		fmt.Fprintf(w, "note: %s with %s encrypted, and no identity was given (--identity): the stored bytes are right, their content was not checked; it takes that of %s\n", plural(v.Unopened, "part"), size(v.UnopenedBytes), strings.Join(v.Recipients[:min(len(v.Recipients), 20)], " or "))
	}
	for i, n := range v.Nested {
		if i == maxNestedShown {
			break
		}
		fmt.Fprintf(w, "note: another archive lies within this one, at the prefix %s, with %s: keep the two apart\n",
			n.Prefix, plural(n.Objects, "object"))
	}
	if v.Unreferenced > 0 {
		why := "left by runs that were broken off or lost a race"
		if slices.ContainsFunc(v.Problems, func(p archive.Problem) bool { return strings.HasPrefix(p.Object, "manifests/") }) {
			why = "named by no manifest that can be read"
		}
		fmt.Fprintf(w, "note: %s %s\n", plural(v.Unreferenced, "object"), why)
	}
}

// numbers is a list of snapshots, shortened where they follow one another.
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
