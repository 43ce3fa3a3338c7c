// Command mutate shows which small faults the tests find. It applies one mutation at a time
// to a copy of the tree, runs the tests of the packages concerned, and prints the survivors:
// mutations that no test notices.
//
//	mutate -n 200 -seed 7 -state .cache/mutate
//
// Mutations are of two kinds: the patches below testdata/mutations, each with the reason why
// it must be found, and changes of single expressions and statements, drawn at random from
// the code that keeps the data safe. A run that was interrupted goes on where it ended, as
// long as the tree, the number and the seed are the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	n := flag.Int("n", 200, "how many mutations to try, patches included")
	seed := flag.Uint64("seed", 1, "the `seed` by which the others are drawn")
	state := flag.String("state", ".cache/mutate", "the `directory` for the copy of the tree and the results so far")
	limit := flag.Duration("limit", 2*time.Minute, "how long the tests of one mutation may take")
	only := flag.String("only", "", "only mutations whose name contains this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *n, *seed, *state, *limit, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n int, seed uint64, state string, limit time.Duration, only string) error {
	all, err := mutations(".", n, seed)
	if err != nil {
		return err
	}
	tree, err := copyTree(ctx, state)
	if err != nil {
		return err
	}
	done, err := openResults(filepath.Join(state, "results.jsonl"), treeHash(tree))
	if err != nil {
		return err
	}
	defer done.close()
	for i, m := range all {
		if !strings.Contains(m.Name, only) {
			continue
		}
		r, known := done.of(m.Name)
		if !known {
			if r, err = try(ctx, tree, m, limit); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			if err := done.add(r); err != nil {
				return err
			}
		}
		fmt.Printf("%3d/%d %-9s %s\n", i+1, len(all), r.Outcome, m.Name)
	}
	return done.summary(os.Stdout, all, only)
}

// copyTree makes the copy to which mutations are applied: the files that git tracks, as they
// are in the working tree.
func copyTree(ctx context.Context, state string) (string, error) {
	tree, err := filepath.Abs(filepath.Join(state, "tree"))
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(tree); err != nil {
		return "", err
	}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "sh", "-c", `git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$1"`, "sh", tree)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("copying the tree: %w: %s", err, out)
	}
	return tree, nil
}

// try applies a mutation, runs the tests and takes the mutation back.
func try(ctx context.Context, tree string, m mutation, limit time.Duration) (result, error) {
	r := result{Name: m.Name}
	if err := m.apply(ctx, tree); err != nil {
		return r, err
	}
	defer m.revert(tree)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !goRun(ctx, tree, append([]string{"vet"}, m.Packages...)...) {
		r.Outcome = invalid
		return r, interrupted(ctx)
	}
	for _, arguments := range [][]string{{"-short"}, {}} {
		test := append([]string{"test", "-failfast", "-count=1"}, arguments...)
		if m.Run != "" && len(arguments) == 0 {
			test = append(test, "-run", m.Run)
		}
		if !goRun(ctx, tree, append(test, m.Packages...)...) {
			r.Outcome = killed
			return r, interrupted(ctx)
		}
	}
	r.Outcome = survived
	return r, interrupted(ctx)
}

// interrupted is the error of a run that the user ended. A mutation whose tests take too
// long, as an endless loop does, counts as found.
func interrupted(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	return nil
}

// goRun runs the go command in a process group of its own, and reports whether it succeeded.
func goRun(ctx context.Context, dir string, args ...string) bool {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	return c.Run() == nil
}
