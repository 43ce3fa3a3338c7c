//go:build linux

// Command bench compares strongroom with lower bounds of its cost (floors) and with other programs, against one S3
// server on this machine. See docs/benchmarks.md.
//
//	bench STRONGROOM                     prints the table; STRONGROOM is the program's binary
//	bench floor NAME DIR BUCKET [TO]     runs one floor, in a separate process
//	bench measure COMMAND ARGS...        prints a command's usage
//
// Options are in the environment: BENCH_SCALE=small, BENCH_ONLY=A,C, BENCH_RUNS=5, BENCH_DIR, BENCH_RCLONE and
// BENCH_RESTIC (binaries; otherwise those in the path), and the variables that testdata/servers/testservers sets,
// such as STRONGROOM_TEST_S3 and AWS_ACCESS_KEY_ID.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	err := errors.New("usage: bench STRONGROOM; make bench builds all programs first")
	switch {
	case len(os.Args) >= 5 && os.Args[1] == "floor":
		err = floor(os.Args[2], os.Args[3], os.Args[4], append(os.Args[5:], "")[0])
	case len(os.Args) >= 3 && os.Args[1] == "measure":
		err = measureHere(os.Args[2:])
	case len(os.Args) == 2:
		err = bench(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// workload is a sequence of steps with one set of files.
type workload struct {
	name  string
	files int
	size  int64
	half  bool // compressible
	steps []step
}

// step is an operation that all programs do, one after another.
type step struct {
	name string // as in the table
	do   string // backup, grow (a new file, then backup), restore, verify, or list (after history made 5,000 snapshots)
}

func workloads(small bool) []workload {
	a := workload{"A", 200, 10 << 20, false, []step{{"A: backup", "backup"}, {"F: restore of A", "restore"}, {"G: read all of A and compare", "verify"}}}
	half := workload{"A½", 200, 10 << 20, true, []step{{"A½: backup, half compressible", "backup"}}}
	b := workload{"B", 1, 2 << 30, false, []step{{"B: backup", "backup"}}}
	c := workload{"C", 20_000, 64 << 10, false, []step{{"C: backup", "backup"}, {"D: again, with nothing new", "backup"}, {"F: restore of C", "restore"}}}
	e := workload{"E", 20_000, 4 << 10, false, []step{{"before E", "backup"}, {"E: one new file of 10 MiB among 20,000", "grow"}, {"after E: again, with nothing new", "backup"}}}
	many := workload{"E′", 200_000, 1 << 10, false, []step{{"before E′", "backup"}, {"E′: one new file of 10 MiB among 200,000", "grow"}, {"after E′: again, with nothing new", "backup"}}}
	h := workload{"H", 3, 4 << 10, false, []step{{"before H", "backup"}, {"H: the newest 100 of 5,000 snapshots", "list"}}}
	if small {
		a.files, half.files, b.size, c.files, e.files, many.files = 40, 40, 512<<20, 4000, 2000, 20_000
		e.steps[1].name = "E: one new file of 10 MiB among 2,000"
		many.steps[1].name = "E′: one new file of 10 MiB among 20,000"
	}
	return []workload{a, half, b, c, e, many, h}
}

// solo reports whether only strongroom runs the workload: the others lack it, or need hours.
func (w *workload) solo() bool { return w.name == "E′" || w.name == "H" }

func (w *workload) grows() bool {
	return slices.ContainsFunc(w.steps, func(s step) bool { return s.do == "grow" })
}

func bench(binary string) error {
	small := os.Getenv("BENCH_SCALE") == "small"
	runs := 5
	if small {
		runs = 3
	}
	if n, err := strconv.Atoi(os.Getenv("BENCH_RUNS")); err == nil && n > 0 {
		runs = n
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "strongroom-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	todo, err := chosen(workloads(small), os.Getenv("BENCH_ONLY"))
	if err != nil {
		return err
	}
	printHead(small, runs)
	for _, w := range todo {
		t, err := w.run(binary, filepath.Join(scratch, "w"), runs)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		t.print()
	}
	return nil
}

// chosen returns the workloads that are named or have a named step. Without names it returns all.
func chosen(all []workload, names string) ([]workload, error) {
	if names == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, w := range all {
			for _, s := range w.steps {
				if first, _, _ := strings.Cut(s.name, ":"); name == w.name || name == strings.Fields(first)[0] {
					wanted[w.name], found = true, true
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("BENCH_ONLY names %q; there are A, A½, B, C, D, E, E′, F, G and H", name)
		}
	}
	return slices.DeleteFunc(all, func(w workload) bool { return !wanted[w.name] }), nil
}

// run runs the whole workload runs times, and once more to count requests.
func (w *workload) run(binary, scratch string, runs int) (*table, error) {
	defer os.RemoveAll(scratch)
	dir := filepath.Join(scratch, "files")
	if err := makeFiles(dir, w.files, w.size, w.half); err != nil {
		return nil, err
	}
	time.Sleep(1500 * time.Millisecond) // from then on strongroom regards the files as closed
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	compression := "off"
	if w.half {
		compression = "auto"
	}
	programs := []program{ours(binary)}
	if !w.solo() {
		programs = append(floorPrograms(self), programs...)
	}
	if w.half {
		programs = append(programs, floorZstd(self), compressing(binary))
	}
	if w.grows() {
		programs = append(programs, serviced(binary))
	}
	if !w.solo() {
		programs = append(programs, peers(compression)...)
	}
	t := newTable(w, programs)
	endpoint := os.Getenv("STRONGROOM_TEST_S3")
	c, err := newCounter(endpoint)
	if err != nil {
		return nil, err
	}
	defer c.server.Close()
	for i := range runs + 1 {
		r := &round{number: i, t: t, server: newServer(endpoint), endpoint: endpoint, dir: dir, scratch: filepath.Join(scratch, "round")}
		if i == runs {
			r.endpoint, r.counter = c.address, c
		}
		fmt.Fprintf(os.Stderr, "bench: %s, run %d of %d\n", w.name, i+1, runs+1)
		if err := r.run(w, programs); err != nil {
			return nil, err
		}
	}
	return t, nil
}
