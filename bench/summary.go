//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// printSummary writes the table of the README: the ratios of wall time and CPU time to floor copy, of strongroom and
// the other programs, for the steps that most of them have.
func (t *table) printSummary(to io.Writer) {
	programs := []string{"strongroom"}
	var steps []string
	for _, step := range t.steps {
		if _, ok := t.ratio(step, "strongroom", "floor copy", wall); !ok || strings.HasPrefix(step, "before ") {
			continue
		}
		steps = append(steps, step)
		for _, program := range t.programs[step] {
			if !strings.HasPrefix(program, "floor ") && !slices.Contains(programs, program) {
				programs = append(programs, program)
			}
		}
	}
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(to, "| wall and CPU, × floor | %s |\n|---|%s\n",
		strings.Join(programs, " | "), strings.Repeat("---|", len(programs)))
	for _, step := range steps {
		row := []string{step}
		for _, program := range programs {
			text := ""
			if w, ok := t.ratio(step, program, "floor copy", wall); ok {
				c, _ := t.ratio(step, program, "floor copy", cpu)
				text = fmt.Sprintf("%.2f, %.2f", w, c)
			}
			row = append(row, text)
		}
		fmt.Fprintf(to, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(to)
}
