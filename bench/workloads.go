//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// workload is a sequence of steps with one set of files.
type workload struct {
	name     string
	files    int
	size     int64
	half     bool // compressible
	network  network
	steps    []step
	programs []string // the first words of their names; none means all
}

// network is what lies between the clients and the server.
type network struct {
	delay time.Duration // of a round trip
	rate  int64         // bytes per second in each direction, over all connections; 0 means no limit
}

// step is an operation that all programs do, one after another.
type step struct {
	name string // as in the table
	do   string // an operation of round.go
}

const (
	gigabit = 1_000_000_000 / 8 // bytes per second
	far     = 20 * time.Millisecond
)

func workloads(small bool) []workload {
	few, nFew, nSmall, nTiny, nMany := int64(2<<30), 200, 20_000, 200_000, 500_000
	if small {
		few, nFew, nSmall, nTiny, nMany = 512<<20, 40, 4000, 20_000, 50_000
	}
	nE := min(nSmall, nTiny/10)
	all := []workload{
		{name: "A", files: nFew, size: 10 << 20, steps: []step{
			{"A: backup", "backup"},
			{"F: restore of A", "restore"},
			{"G: read all of A and compare", "verify"},
			{"G: read a tenth of A and compare", "sample"},
		}},
		{name: "A½", files: nFew, size: 10 << 20, half: true, steps: []step{
			{"A½: backup, half compressible", "backup"},
			{"F: restore of A½", "restore"},
		}},
		{name: "B", files: 1, size: few, steps: []step{{"B: backup", "backup"}, {"F: restore of B", "restore"}}},
		{name: "C", files: nSmall, size: 64 << 10, steps: []step{
			{"C: backup", "backup"},
			{"D: again, with nothing new", "again"},
			{"F: restore of C", "restore"},
		}},
		{name: "E", files: nE, size: 4 << 10, steps: growing("E", nE)},
		{name: "E′", files: nTiny, size: 1 << 10, steps: growing("E′", nTiny), programs: []string{"strongroom"}},
		{name: "L", files: nMany, size: 1 << 10, programs: []string{"strongroom"}, steps: []step{
			{"L: first backup of " + thousands(nMany), "backup"},
			{"L: one new file of 10 MiB among them", "grow"},
			{"L: again, with nothing new", "again"},
			{"L: restore of one file of them", "restore one"},
			{"L: cat of one file of them", "cat"},
		}},
		{name: "H", files: 3, size: 4 << 10, programs: []string{"strongroom"}, steps: []step{
			{"before H", "backup"},
			{"H: the newest 100 of 5,000 snapshots", "list"},
		}},
	}
	slow := network{delay: far, rate: gigabit}
	return slices.Concat(all, remote("20ms", network{delay: far}, all), remote("1G", slow, all))
}

// growing are the steps with one new file among others.
func growing(name string, files int) []step {
	return []step{
		{"before " + name, "backup"},
		{name + ": one new file of 10 MiB among " + thousands(files), "grow"},
		{"after " + name + ": again, with nothing new", "again"},
	}
}

// remote returns A, C and E with a network between the clients and the server. Programs that send one object for each
// small file would take hours.
func remote(suffix string, between network, all []workload) []workload {
	var out []workload
	for _, w := range all {
		if w.name != "A" && w.name != "C" && w.name != "E" {
			continue
		}
		w.name, w.network, w.programs = w.name+"@"+suffix, between, []string{"floor copy", "strongroom", "restic"}
		w.steps = slices.Clone(w.steps)
		for i := range w.steps {
			w.steps[i].name += ", " + between.String()
		}
		w.steps = slices.DeleteFunc(w.steps, func(s step) bool { return s.do == "sample" })
		out = append(out, w)
	}
	return out
}

func (n network) String() string {
	s := fmt.Sprintf("at %v", n.delay)
	if n.rate > 0 {
		s += fmt.Sprintf(" and %g Gbit/s", float64(n.rate)*8/1e9)
	}
	return s
}

// runs reports whether a program takes part in the workload.
func (w *workload) runs(program string) bool {
	named := func(name string) bool { return strings.HasPrefix(program, name) }
	return len(w.programs) == 0 || slices.ContainsFunc(w.programs, named)
}

func (w *workload) has(do string) bool {
	return slices.ContainsFunc(w.steps, func(s step) bool { return s.do == do })
}

// thousands writes a number below a million with a comma.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// chosen returns the workloads that are named or have a named step. Without names it returns all.
func chosen(all []workload, names string) ([]workload, error) {
	if names == "" {
		return all, nil
	}
	wanted := make([]bool, len(all))
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for i := range all {
			if all[i].answers(name) {
				wanted[i], found = true, true
			}
		}
		if !found {
			known := []string{"D", "F", "G"}
			for _, w := range all {
				known = append(known, w.name)
			}
			return nil, fmt.Errorf("BENCH_ONLY names %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	var out []workload
	for i, w := range all {
		if wanted[i] {
			out = append(out, w)
		}
	}
	return out, nil
}

// answers reports whether the workload has the name, or a step of that name without a network between.
func (w *workload) answers(name string) bool {
	return w.name == name || w.network == network{} && slices.ContainsFunc(w.steps, func(s step) bool {
		first, _, _ := strings.Cut(s.name, ":")
		return first == name
	})
}
