// Command mutate shows which small faults the tests find. It applies one mutation at a time to a copy of the tree,
// runs the short tests that execute it, and prints the survivors: mutations that no test finds.
//
//	mutate -n 200 -seed 7 -state .cache/mutate
//
// There are two kinds of mutations. Patches below testdata/mutations each contain the reason why a test must find
// them. Drawn mutations change one expression or statement each; the seed draws them from the code that keeps the
// data safe. The file equivalent.txt beside the patches lists drawn mutations without an effect.
//
// An interrupted run continues where it ended. A mutation that was found is not tried again while its file is the
// same; a survivor is tried again after any change.
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
	n     int            // the number of drawn mutations that compile
	seed  uint64         // of the drawn mutations
	state string         // the directory for the copy of the tree and for the results
	limit time.Duration  // for the tests of one mutation
	long  time.Duration  // for the long tests of a survivor; zero disables them
	only  *regexp.Regexp // matches the names to try
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 200, "the `number` of mutations to draw, in addition to the patches")
	flag.Uint64Var(&o.seed, "seed", 1, "the `seed` that draws them")
	flag.StringVar(&o.state, "state", ".cache/mutate", "the `directory` for the copy of the tree and the results so far")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "the processor time for the tests of one mutation")
	flag.DurationVar(&o.long, "long", 0, "the processor time for the long tests of a survivor; 0 runs only the short tests")
	only := flag.String("only", "", "tries only the mutations whose name matches this regular `expression`")
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
		if t.compiled == o.n { // mutations that do not compile do not count
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
	done     *results          // of this run and earlier ones
	code     string            // the hash of the code
	src      map[string][]byte // files without mutations
	suites   map[string]*suite // by package
	built    map[string]bool   // packages whose tests are compiled, with all mutations
	tried    []tried
	compiled int // drawn mutations that compile, or were not compiled yet
}

// tried is a mutation and its outcome, which is empty if it is not known yet.
type tried struct {
	*mutation
	outcome
}

// choose adds a mutation to those to try, if its name matches.
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

// prepare surveys the tests of the packages concerned, and compiles the mutations without an outcome.
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
