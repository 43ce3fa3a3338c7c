//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var someDay = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// lines returns the results of a round: the wall seconds of two programs at one step, and the end.
func lines(round int, floor, ours float64) []result {
	began := someDay.Add(time.Duration(round) * time.Minute)
	seconds := func(s float64) *usage {
		return &usage{Wall: time.Duration(s * 1e9), CPU: time.Duration(s * 2e9), Peak: 1 << 20}
	}
	return []result{
		{Workload: "A", Round: round, Began: began, Step: "A: backup", Program: "floor copy", Usage: seconds(floor)},
		{Workload: "A", Round: round, Began: began, Step: "A: backup", Program: "strongroom", Usage: seconds(ours)},
		{Workload: "A", Round: round, Began: began, Took: time.Second},
	}
}

func open(t *testing.T, file string, of setting) *results {
	t.Helper()
	r, err := openResults(file, of)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResultsOfWholeRoundsAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "of a day", "results.jsonl")
	of := setting{Scale: "small", Build: "0a", Machine: "2 cores"}
	r := open(t, file, of)
	if err := r.add(lines(0, 1, 2)...); err != nil {
		t.Fatal(err)
	}
	stopped := lines(1, 1, 2)[:2] // before its end
	for i := range stopped {
		stopped[i].Began = stopped[i].Began.Add(-time.Second)
	}
	if err := r.add(stopped...); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"scale":"sma`); err != nil { // and within a line
		t.Fatal(err)
	}
	f.Close()

	r = open(t, file, of)
	if !r.has("A", 0) || r.has("A", 1) || r.has("B", 0) || len(r.all) != 3 {
		t.Errorf("after a stop there are %+v, want those of round 0", r.all)
	}
	if err := r.add(lines(1, 1, 4)...); err != nil {
		t.Fatal(err)
	}
	if r = open(t, file, of); !r.has("A", 1) || len(r.all) != 6 {
		t.Errorf("after the round was run again there are %d results: %+v", len(r.all), r.all)
	}
	of.Build = "0b"
	if r = open(t, file, of); len(r.all) != 0 {
		t.Errorf("results of another build count: %+v", r.all)
	}
}

func TestResultsOfAnotherFormAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(file, []byte("{}\nnot JSON\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openResults(file, setting{}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want the line", err)
	}
}

func TestTableHasMediansAndRatiosOfPairs(t *testing.T) {
	t.Parallel()
	var all []result
	for i, pair := range [][2]float64{{1, 2}, {10, 11}, {4, 4}} { // ratios 2, 1.1 and 1
		all = append(all, lines(i, pair[0], pair[1])...)
	}
	all = append(all,
		result{Workload: "A", Round: counting, Began: someDay.Add(time.Hour), Step: "A: backup", Program: "strongroom", Traffic: &traffic{Requests: 53, Sent: 4096}},
		result{Workload: "A", Round: 0, Began: someDay, Step: "A: backup", Program: "kopia 1.2.3", Failed: "exit status 1"})
	table := newTable(all)
	var out strings.Builder
	table.print(&out)
	for _, row := range []string{
		"| A: backup | floor copy | 3 | 4.00 | 1.00 | 8.00 | 1.00 | 1 |  | | |\n",
		"| A: backup | strongroom | 3 | 4.00 | 1.10 | 8.00 | 1.10 | 1 | 53 | 4 | 0 |\n",
		"| A: backup | kopia 1.2.3 | failed |",
	} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("the table lacks %q:\n%s", row, out.String())
		}
	}
	out.Reset()
	table.printTargets(&out)
	if !strings.Contains(out.String(), "| A: backup, strongroom: wall × floor copy | 1.02 | 1.1 | missed |\n") {
		t.Errorf("the targets lack the wall time of A:\n%s", out.String())
	}
}

// A target that compares with other programs is measured against the best of them.
func TestTargetAgainstTheBest(t *testing.T) {
	t.Parallel()
	of := func(program string, wall time.Duration) result {
		return result{Began: someDay, Step: "F: restore of C", Program: program, Usage: &usage{Wall: wall, CPU: wall}}
	}
	table := newTable([]result{of("strongroom", 6), of("restic 0.18.1", 10), of("restic 0.14.0", 8), of("rclone 1.0.0", 1)})
	var out strings.Builder
	table.printTargets(&out)
	if !strings.Contains(out.String(), "wall × restic | 0.7 | 0.75 | missed |\n") {
		t.Errorf("got:\n%s", out.String())
	}
}
