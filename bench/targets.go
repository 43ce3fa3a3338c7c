//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// target is a limit that strongroom has at a step.
type target struct {
	step     string // the beginning of its name
	program  string
	of       figure
	base     string // the beginning of other programs' names; the limit is a multiple of the best of them
	limit    float64
	requests bool // the limit is of requests, in place of a figure
}

// targets are those of the project. Their figures hold at full scale.
func targets() []target {
	const us, service, bare = "strongroom", "strongroom, as a service", "strongroom, without state"
	all := []target{
		{"A: backup", us, wall, "floor copy", 1.02, false},
		{"A: backup", us, cpu, "floor copy", 1, false},
		{"B: backup", us, wall, "floor copy", 1.02, false},
		{"B: backup", us, cpu, "floor copy", 1, false},
		{"G: read all of A", us, cpu, "floor copy", 1.05, false},
		{"F: restore of A", us, wall, "floor copy", 1.05, false},
		{"F: restore of A", us, cpu, "floor copy", 1.05, false},
		{"F: restore of C", us, wall, "restic", 0.7, false},
		{"F: restore of C", us, cpu, "restic", 0.5, false},
		{"L: first backup", us, peak, "", 128, false},
	}
	for _, step := range []string{"L: one new file", "L: again, with nothing new"} {
		all = append(all,
			target{step, us, cpu, "", 1.5, false}, target{step, us, peak, "", 128, false},
			target{step, bare, cpu, "", 1.5, false}, target{step, bare, peak, "", 128, false},
			target{step, service, cpu, "", 0.3, false}, target{step, service, peak, "", 128, false})
	}
	for _, step := range []string{"L: restore of one", "L: cat of one"} {
		all = append(all,
			target{step, us, wall, "", 0.15, false}, target{step, us, peak, "", 48, false},
			target{step, us, figure{}, "", 8, true})
	}
	return all
}

// printTargets writes each target that was measured, with the figure.
func (t *table) printTargets(to io.Writer) {
	var rows []string
	for _, one := range targets() {
		for _, step := range t.steps {
			if !one.matches(step) {
				continue
			}
			got, ok := one.measured(t, step)
			if !ok {
				continue
			}
			reached := "reached"
			if got > one.limit {
				reached = "missed"
			}
			rows = append(rows, fmt.Sprintf("| %s, %s: %s | %g | %.3g | %s |\n", step, one.program, one.unit(), one.limit, got, reached))
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(to, "| target | at most | measured | |\n|---|---:|---:|---|\n%s\n", strings.Join(rows, ""))
	}
}

// matches reports whether the target is of a step. A longer name, as of A½, is of another one.
func (g *target) matches(step string) bool {
	rest, ok := strings.CutPrefix(step, g.step)
	return ok && (rest == "" || rest[0] == ' ') && !strings.Contains(rest, ", at ")
}

func (g *target) unit() string {
	switch {
	case g.requests:
		return "requests"
	case g.base != "":
		return g.of.unit[strings.Index(g.of.unit, " ")+1:] + " × " + g.base
	}
	return g.of.unit
}

// measured returns the figure that the target limits.
func (g *target) measured(t *table, step string) (float64, bool) {
	c := t.cells[[2]string{step, g.program}]
	if c == nil || c.failed {
		return 0, false
	}
	switch {
	case g.requests:
		if c.traffic == nil {
			return 0, false
		}
		return float64(c.traffic.Requests), true
	case g.base == "":
		if len(c.runs) == 0 {
			return 0, false
		}
		return t.median(step, g.program, g.of), true
	}
	var ratios []float64
	for _, program := range t.programs[step] {
		if strings.HasPrefix(program, g.base) && !t.cells[[2]string{step, program}].failed {
			if v, ok := t.ratio(step, g.program, program, g.of); ok {
				ratios = append(ratios, v)
			}
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return slices.Max(ratios), true // against the best of them
}
