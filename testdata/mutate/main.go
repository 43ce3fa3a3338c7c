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
	"regexp"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	n     int            // how many drawn mutations that compile
	seed  uint64         // what draws them
	state string         // the directory for the copy of the tree and for the results
	limit time.Duration  // for the tests of one mutation
	long  time.Duration  // for the long tests of a survivor; zero: they do not run
	only  *regexp.Regexp // of the names
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 200, "how many mutations to draw, besides the patches; some may not compile")
	flag.Uint64Var(&o.seed, "seed", 1, "the `seed` that draws them")
	flag.StringVar(&o.state, "state", ".cache/mutate", "the `directory` for the copy of the tree and the results so far")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "how long the tests of one mutation may compute")
	flag.DurationVar(&o.long, "long", 0, "how long the long tests of a survivor may compute; 0: only the short tests run")
	only := flag.String("only", "", "of these, only mutations whose name fits this regular `expression`")
	flag.Parse()
	err := error(nil)
	if o.only, err = regexp.Compile(*only); err == nil {
		o.state, err = filepath.Abs(o.state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
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
	t := &trial{options: o, tree: tree, code: code, done: done, src: map[string][]byte{}}
	for i := range patched {
		t.choose(&patched[i])
	}
	for i := range drawn {
		if t.compiled == o.n { // so many may not compile, and leave room for others
			break
		}
		t.choose(&drawn[i])
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	for i := range t.tried {
		if err := t.do(ctx, i); err != nil {
			return err
		}
	}
	return t.summary(os.Stdout)
}

// trial is a run of the command.
type trial struct {
	*options
	tree     string            // the copy
	done     *results          //
	code     string            // the hash of the code
	src      map[string][]byte // files without mutations
	suites   map[string]*suite // by package
	built    map[string]bool   // packages whose tests are compiled, with all mutations
	tried    []tried
	compiled int // drawn mutations that compile, as far as is known
}

// tried is a mutation and what became of it; empty: that is not known yet.
type tried struct {
	*mutation
	outcome
}

// choose takes a mutation along.
func (t *trial) choose(m *mutation) {
	is := t.done.of(m)
	if m.patch == "" && is != invalid {
		t.compiled++
	}
	if !t.only.MatchString(m.Name) {
		return
	}
	t.tried = append(t.tried, tried{m, is})
}

// prepare surveys the tests of all packages concerned, and compiles the mutations that are
// still to be tried.
func (t *trial) prepare(ctx context.Context) error {
	todo := map[int]*mutation{}
	for i, m := range t.tried {
		if m.outcome != "" {
			continue
		}
		todo[i+1] = m.mutation
		for _, p := range m.Packages {
			if _, err := t.suiteOf(ctx, p); err != nil {
				return err
			}
		}
	}
	if len(todo) == 0 {
		return nil
	}
	start := time.Now()
	bad, err := t.weave(ctx, todo)
	if err != nil {
		return err
	}
	fmt.Printf("     compiled  %5s  %d mutations, and %d that do not compile\n", time.Since(start).Round(time.Second), len(todo)-len(bad), len(bad))
	for number := range bad {
		m := &t.tried[number-1]
		m.outcome = invalid
		if err := t.done.add(m.mutation, invalid); err != nil {
			return err
		}
	}
	return nil
}

// do tries one mutation, unless its outcome is known.
func (t *trial) do(ctx context.Context, i int) error {
	m := &t.tried[i]
	start, took := time.Now(), ""
	if m.outcome == "" {
		is, err := t.try(ctx, i+1, m.mutation)
		if err == nil {
			err = t.done.add(m.mutation, is)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		m.outcome, took = is, time.Since(start).Round(time.Second).String()
	}
	fmt.Printf("%4d %-9s %5s  %s\n", i+1, m.outcome, took, m.Name)
	return nil
}
