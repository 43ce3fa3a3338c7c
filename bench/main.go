//go:build linux

// Command bench compares strongroom with lower bounds of its cost (floors) and with other programs, against one S3
// server on this machine. See docs/benchmarks.md.
//
//	bench run STRONGROOM                 measures what the file of results lacks, and prints the tables
//	bench table FILE...                  prints the tables of files of results
//	bench profile STRONGROOM CHART       samples where the time goes, prints a table, and draws it in an SVG file
//	bench floor NAME DIR BUCKET [TO]     runs one floor, in a separate process
//	bench measure SYNCED COMMAND ARGS... prints a command's usage
//
// Options are in the environment: BENCH_SCALE=small, BENCH_ONLY=A,C, BENCH_RUNS=5, BENCH_PEERS=restic,rclone,
// BENCH_RESULTS (the file of results), BENCH_PIN=1, BENCH_DIR, BENCH_RCLONE, BENCH_RESTIC and BENCH_KOPIA (binaries),
// and the variables that testdata/servers/testservers sets, such as STRONGROOM_TEST_S3 and AWS_ACCESS_KEY_ID.
package main

import (
	"errors"
	"fmt"
	"os"
)

var errUsage = errors.New("usage: bench run STRONGROOM, table FILE... or profile STRONGROOM CHART; " +
	"make bench builds all programs first")

func main() {
	args := append(os.Args[1:], "")
	err, args := errUsage, args[:len(args)-1]
	switch n := len(args); {
	case n >= 4 && args[0] == "floor":
		err = floor(args[1], args[2], args[3], append(args[4:], "")[0])
	case n >= 3 && args[0] == "measure":
		err = measureHere(args[1], args[2:])
	case n == 2 && args[0] == "run":
		err = measureAll(args[1])
	case n >= 2 && args[0] == "table":
		err = printFiles(args[1:])
	case n == 3 && args[0] == "profile":
		err = profileAll(args[1], args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
