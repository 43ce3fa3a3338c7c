//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// printFiles prints the tables of all results in files, one for each setting.
func printFiles(files []string) error {
	var all []result
	for _, file := range files {
		some, err := readResults(file)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	var settings []setting
	for _, r := range all {
		if !slices.Contains(settings, r.setting) {
			settings = append(settings, r.setting)
		}
	}
	for _, s := range settings {
		of := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.setting != s })
		t := newTable(of)
		t.print(os.Stdout)
		t.printSummary(os.Stdout)
		t.printTargets(os.Stdout)
		printTimes(os.Stdout, of)
	}
	return nil
}

// table has the measurements of one setting, by step and program.
type table struct {
	setting  setting
	first    time.Time
	last     time.Time
	steps    []string
	programs map[string][]string // of a step, in the order of the table
	cells    map[[2]string]*cell
}

// cell has one program's measurements at one step, by the beginning of their rounds.
type cell struct {
	runs    map[time.Time]usage
	traffic *traffic
	failed  bool
}

func newTable(of []result) *table {
	t := &table{setting: of[0].setting, programs: map[string][]string{}, cells: map[[2]string]*cell{}}
	for _, r := range of {
		if t.first.IsZero() || r.Began.Before(t.first) {
			t.first = r.Began
		}
		if r.Began.After(t.last) {
			t.last = r.Began
		}
		if r.Step == "" {
			continue
		}
		key := [2]string{r.Step, r.Program}
		if t.cells[key] == nil {
			t.cells[key] = &cell{runs: map[time.Time]usage{}}
			t.programs[r.Step] = append(t.programs[r.Step], r.Program)
		}
		c := t.cells[key]
		switch {
		case r.Failed != "":
			c.failed = true
		case r.Usage != nil:
			c.runs[r.Began] = *r.Usage
		case r.Traffic != nil:
			c.traffic = r.Traffic
		}
	}
	for _, w := range workloads(t.setting.Scale == "small") {
		for _, s := range w.steps {
			if len(t.programs[s.name]) > 0 {
				t.steps = append(t.steps, s.name)
			}
		}
	}
	return t
}

// print writes the rows. Ratios are between runs of the same round.
func (t *table) print(to io.Writer) {
	days := t.first.Format(time.DateOnly)
	if last := t.last.Format(time.DateOnly); last != days {
		days += " to " + last
	}
	where := "server and clients on one machine"
	if t.setting.Pinned {
		where = "the clients on one half of the cores, the server on the other"
	}
	fmt.Fprintf(to, "Scale %s, %s, %s, %s. strongroom is build %s.\n",
		t.setting.Scale, days, t.setting.Machine, where, t.setting.Build)
	fmt.Fprint(to, "Medians; ratios are medians of the ratios to floor copy in the same round.\n\n")
	fmt.Fprintln(to, "| workload | program | runs | wall s | × floor | CPU s | × floor | resident MiB | requests | "+
		"sent KiB | received KiB |")
	fmt.Fprintln(to, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, step := range t.steps {
		for _, program := range t.programs[step] {
			t.printRow(to, step, program)
		}
	}
	fmt.Fprintln(to)
}

func (t *table) printRow(to io.Writer, step, program string) {
	c := t.cells[[2]string{step, program}]
	if c.failed {
		fmt.Fprintf(to, "| %s | %s | failed | | | | | | | | |\n", step, program)
		return
	}
	value := func(of figure) string {
		if len(c.runs) == 0 {
			return ""
		}
		return fmt.Sprintf(of.format, t.median(step, program, of))
	}
	ratio := func(of figure) string {
		if v, ok := t.ratio(step, program, "floor copy", of); ok {
			return fmt.Sprintf("%.2f", v)
		}
		return ""
	}
	requests := " | | |"
	if c.traffic != nil {
		requests = fmt.Sprintf("%d | %d | %d |", c.traffic.Requests, c.traffic.Sent>>10, c.traffic.Received>>10)
	}
	fmt.Fprintf(to, "| %s | %s | %d | %s | %s | %s | %s | %s | %s\n", step, program, len(c.runs),
		value(wall), ratio(wall), value(cpu), ratio(cpu), value(peak), requests)
}

// figure is one of a usage's values, with its unit and form in the table.
type figure struct {
	unit, format string
	of           func(u usage) float64
}

var (
	wall = figure{"s wall", "%.2f", func(u usage) float64 { return u.Wall.Seconds() }}
	cpu  = figure{"s CPU", "%.2f", func(u usage) float64 { return u.CPU.Seconds() }}
	peak = figure{"MiB", "%.0f", func(u usage) float64 { return float64(u.Peak) / (1 << 20) }}
)

// median returns the median over all rounds. There must be one.
func (t *table) median(step, program string, of figure) float64 {
	var values []float64
	for _, u := range t.cells[[2]string{step, program}].runs {
		values = append(values, of.of(u))
	}
	return median(values)
}

// ratio returns the median of the ratios to another program, round by round.
func (t *table) ratio(step, program, base string, of figure) (float64, bool) {
	a, b := t.cells[[2]string{step, program}], t.cells[[2]string{step, base}]
	if a == nil || b == nil {
		return 0, false
	}
	var values []float64
	for began, u := range a.runs {
		if v, ok := b.runs[began]; ok && of.of(v) > 0 {
			values = append(values, of.of(u)/of.of(v))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	return median(values), true
}

func median(values []float64) float64 {
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// printTimes writes how long a round of each workload took.
func printTimes(to io.Writer, all []result) {
	took, names := map[string][]float64{}, []string{}
	for _, r := range all {
		if r.Step == "" {
			if took[r.Workload] == nil {
				names = append(names, r.Workload)
			}
			took[r.Workload] = append(took[r.Workload], r.Took.Seconds())
		}
	}
	fmt.Fprintln(to, "| workload | rounds | seconds for one, with all programs |")
	fmt.Fprintln(to, "|---|---:|---:|")
	for _, name := range names {
		fmt.Fprintf(to, "| %s | %d | %.0f |\n", name, len(took[name]), median(took[name]))
	}
	fmt.Fprintln(to)
}
