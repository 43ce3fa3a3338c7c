// Command mutate shows which small faults the tests find. It applies one mutation at a time
// to a copy of the tree, runs the short tests that run through it, and prints the survivors:
// mutations that no test notices.
//
//	mutate -n 200 -seed 7 -state .cache/mutate
//
// Mutations are of two kinds. The patches below testdata/mutations each say why a test must
// find them. The others change one expression or statement each; the seed draws them from
// the code that keeps the data safe. A file beside the patches lists those that change nothing.
//
// A run that was interrupted continues where it ended. A mutation that was found is not tried
// again while its file is the same; a survivor is tried again once anything has changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	n     int           // how many drawn mutations that compile
	seed  uint64        // what draws them
	state string        // the directory for the copy of the tree and for the results
	limit time.Duration // for the tests of one mutation
	long  time.Duration // for the long tests of a survivor; zero: they do not run
	only  string        // a text that the names must contain
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 200, "how many mutations to draw, besides the patches")
	flag.Uint64Var(&o.seed, "seed", 1, "the `seed` that draws them")
	flag.StringVar(&o.state, "state", ".cache/mutate", "the `directory` for the copy of the tree and the results so far")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "how long the tests of one mutation may take")
	flag.DurationVar(&o.long, "long", 0, "how long the long tests of a survivor may take; 0: only the short tests run")
	flag.StringVar(&o.only, "only", "", "only mutations whose name contains this `text`")
	flag.Parse()
	o.state, _ = filepath.Abs(o.state)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	tree, err := copyTree(ctx, o.state)
	if err != nil {
		return err
	}
	patched, err := patches("testdata/mutations")
	if err != nil {
		return err
	}
	drawn, err := draw(o.seed)
	if err != nil {
		return err
	}
	drawn, err = withoutEquivalent(drawn, "testdata/mutations/equivalent.txt")
	if err != nil {
		return err
	}
	code, both, err := treeHashes(tree)
	if err != nil {
		return err
	}
	done, err := openResults(filepath.Join(o.state, "results.jsonl"), both)
	if err != nil {
		return err
	}
	defer done.close()
	t := &trial{options: o, tree: tree, code: code, done: done}
	for i := range patched {
		if err := t.do(ctx, &patched[i]); err != nil {
			return err
		}
	}
	for i := range drawn {
		if t.compiled == o.n {
			break
		}
		if err := t.do(ctx, &drawn[i]); err != nil {
			return err
		}
	}
	return t.summary(os.Stdout)
}

// trial is a run of the command.
type trial struct {
	*options
	tree     string // the copy
	done     *results
	code     string            // the hash of the code
	suites   map[string]*suite // by package
	tried    []tried
	compiled int // drawn mutations that compile
}

// tried is a mutation and what became of it.
type tried struct {
	*mutation
	outcome
}

// do tries one mutation, unless its outcome is known.
func (t *trial) do(ctx context.Context, m *mutation) error {
	if !strings.Contains(m.Name, t.only) {
		return nil
	}
	start := time.Now()
	is, known := t.done.of(m)
	if !known {
		var err error
		if is, err = t.try(ctx, m); err == nil {
			err = t.done.add(m, is)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if m.patch == "" && is != invalid {
		t.compiled++
	}
	t.tried = append(t.tried, tried{m, is})
	took := ""
	if !known {
		took = time.Since(start).Round(time.Second).String()
	}
	fmt.Printf("%4d %-9s %5s  %s\n", len(t.tried), is, took, m.Name)
	return nil
}
