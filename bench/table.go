//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// table holds the measurements by step and program.
type table struct {
	w        *workload
	programs []program
	cells    [][]cell
}

type cell struct {
	runs    []usage
	traffic traffic
	failed  error
}

func newTable(w *workload, programs []program) *table {
	t := &table{w: w, programs: programs, cells: make([][]cell, len(w.steps))}
	for i := range t.cells {
		t.cells[i] = make([]cell, len(programs))
	}
	return t
}

func printHead(small bool, runs int) {
	scale := "full"
	if small {
		scale = "small"
	}
	fmt.Printf("Scale %s, %d runs, %s, %d cores, %s, server and client on one machine. Medians;\n", scale, runs, time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version())
	fmt.Print("ratios are medians of the ratios to floor copy (floor get, floor read) in the same run.\n\n")
	fmt.Println("| workload | program | wall s | × floor | CPU s | × floor | resident MiB | requests | sent KiB | received KiB |")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
}

// print writes the rows. Ratios are between runs of the same round.
func (t *table) print() {
	for s := range t.w.steps {
		var base []usage
		for i, p := range t.programs {
			if p.name == "floor copy" {
				base = t.cells[s][i].runs
			}
		}
		for i, p := range t.programs {
			c := &t.cells[s][i]
			if c.failed != nil {
				fmt.Fprintf(os.Stderr, "bench: %s, %s: %v\n", t.w.steps[s].name, p.name, c.failed)
				fmt.Printf("| %s | %s | failed | | | | | | | |\n", t.w.steps[s].name, p.name)
				continue
			}
			if len(c.runs) == 0 {
				continue
			}
			fmt.Printf("| %s | %s | %.2f | %s | %.2f | %s | %.0f | %d | %d | %d |\n", t.w.steps[s].name, p.name,
				median(c.runs, wall), ratio(c.runs, base, wall), median(c.runs, cpu), ratio(c.runs, base, cpu),
				median(c.runs, func(u usage) float64 { return float64(u.Peak) / (1 << 20) }),
				c.traffic.requests, c.traffic.sent>>10, c.traffic.received>>10)
		}
	}
}

func wall(u usage) float64 { return u.Wall.Seconds() }
func cpu(u usage) float64  { return u.CPU.Seconds() }

// ratio returns the median of the ratios, run by run.
func ratio(runs, base []usage, of func(usage) float64) string {
	if len(base) != len(runs) {
		return ""
	}
	var all []float64
	for i := range runs {
		all = append(all, of(runs[i])/of(base[i]))
	}
	return fmt.Sprintf("%.2f", median(all, func(f float64) float64 { return f }))
}
