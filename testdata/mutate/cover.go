package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// module is the prefix of file names in coverage profiles.
const module = "github.com/strongroom-dev/strongroom/"

// reach is the code that one short test executes. The test cannot find a mutation elsewhere.
type reach struct {
	Took   time.Duration      `json:"took"`
	Used   time.Duration      `json:"used"`   // processor time
	Blocks map[string][]block `json:"blocks"` // by file, in order
}

// A block is a range of statements, by line and column.
type block struct{ FromLine, FromColumn, ToLine, ToColumn int }

func (b block) has(line, column int) bool {
	return (line > b.FromLine || line == b.FromLine && column >= b.FromColumn) &&
		(line < b.ToLine || line == b.ToLine && column <= b.ToColumn)
}

// A suite is the short tests of a package.
type suite struct {
	pkg   string
	tests map[string]*reach  // by name
	all   map[string][]block // by file, including those that no test executes
}

// survey is the content of a suite's file.
type survey struct {
	Code  string             // the hash of the code
	Tests map[string]*reach  // by name; nil for a test that fails without a mutation
	All   map[string][]block // by file
}

// suiteOf runs each short test of a package separately in the copy without mutations, and records which code it
// executes. The records are kept in a file: a recorded test is not run again while the code is the same.
func (t *trial) suiteOf(ctx context.Context, pkg string) (*suite, error) {
	if s := t.suites[pkg]; s != nil {
		return s, nil
	}
	start := time.Now()
	file := filepath.Join(t.state, "reach-"+strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-")+".json")
	var known survey
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &known) != nil || known.Code != t.code {
		known = survey{Code: t.code, Tests: map[string]*reach{}} // it is missing, cut short, or of other code
	}
	binary := t.binary("sound", pkg)
	if err := os.Remove(binary); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier run
		return nil, err
	}
	if out, err := t.goDo(ctx, "test", "-c", "-vet=off", "-cover", "-covermode=set", "-coverpkg=./archive/...,./manifest,./providers/...,./store/...,./source/...,./internal/digest", "-o", binary, pkg); err != nil {
		return nil, fmt.Errorf("compiling the tests of %s: %w\n%s", pkg, err, out)
	}
	names, err := t.testsOf(ctx, pkg, binary)
	if err != nil {
		return nil, err
	}
	err = t.surveyAll(ctx, pkg, binary, names, &known)
	if b, jsonErr := json.Marshal(known); jsonErr == nil { // also after an interruption
		if writeErr := os.WriteFile(file, b, 0o644); writeErr != nil {
			return nil, writeErr
		}
	}
	if err != nil {
		return nil, err
	}
	s := &suite{pkg: pkg, tests: map[string]*reach{}, all: known.All}
	for _, name := range names {
		if r := known.Tests[name]; r != nil {
			s.tests[name] = r
		}
	}
	fmt.Printf("     surveyed  %5s  %s, %d tests\n", time.Since(start).Round(time.Second), pkg, len(s.tests))
	if t.suites == nil {
		t.suites = map[string]*suite{}
	}
	t.suites[pkg] = s
	return s, nil
}

// testsOf lists the tests of a package, without its benchmarks. A package without test files has none: go test
// compiles no binary for it.
func (t *trial) testsOf(ctx context.Context, pkg, binary string) ([]string, error) {
	if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	out, err := t.runIn(ctx, pkg, "", binary, "-test.list", ".")
	if err != nil {
		return nil, fmt.Errorf("listing the tests of %s: %w\n%s", pkg, err, out)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return strings.HasPrefix(name, "Benchmark") }), nil
}

// surveyors is the number of tests surveyed at once.
const surveyors = 3

// surveyAll surveys the tests that are not in known.
func (t *trial) surveyAll(ctx context.Context, pkg, binary string, names []string, known *survey) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	todo := make(chan string)
	for i := range surveyors {
		wg.Go(func() {
			for name := range todo {
				r, all, err := t.reachOf(ctx, pkg, binary, name, fmt.Sprintf("%s.%d", binary, i))
				mu.Lock()
				switch {
				case ctx.Err() != nil:
				case err != nil: // a failing test would find every mutation
					fmt.Printf("     left out         %v\n", err)
					known.Tests[name] = nil
				default:
					known.Tests[name], known.All = r, all
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		mu.Lock()
		_, done := known.Tests[name]
		mu.Unlock()
		if !done && ctx.Err() == nil {
			todo <- name
		}
	}
	close(todo)
	wg.Wait()
	return context.Cause(ctx)
}

// reachOf runs one test. It returns the test's reach and all blocks of the code.
func (t *trial) reachOf(ctx context.Context, pkg, binary, name, profile string) (*reach, map[string][]block, error) {
	start := time.Now()
	out, used, err := t.measure(ctx, pkg, "", binary, "-test.short", "-test.run", "^"+name+"$", "-test.coverprofile", profile)
	r, all := &reach{Took: time.Since(start), Used: used, Blocks: map[string][]block{}}, map[string][]block{}
	if err != nil {
		return nil, nil, fmt.Errorf("%s of %s fails without a mutation: %w\n%s", name, pkg, err, out)
	}
	b, err := os.ReadFile(profile)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(b)) {
		file, rest, ok := strings.Cut(strings.TrimPrefix(line, module), ".go:")
		if !ok {
			continue // the head
		}
		var at block
		var statements, ran int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &at.FromLine, &at.FromColumn, &at.ToLine, &at.ToColumn, &statements, &ran); err != nil {
			return nil, nil, fmt.Errorf("%s: %q: %w", profile, line, err)
		}
		all[file+".go"] = append(all[file+".go"], at)
		if ran > 0 {
			r.Blocks[file+".go"] = append(r.Blocks[file+".go"], at)
		}
	}
	return r, all, nil
}

// reaching lists the tests that execute a mutation, the quickest first.
func (s *suite) reaching(m *mutation) []string {
	var names []string
	for name, r := range s.tests {
		for _, a := range m.areas {
			// For a place in no block, such as a condition of a switch, the whole function counts.
			within := slices.ContainsFunc(s.all[a.file], a.isIn)
			if slices.ContainsFunc(r.Blocks[a.file], func(b block) bool { return within && a.isIn(b) || !within && a.meets(b) }) {
				names = append(names, name)
				break
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.tests[a].Took, s.tests[b].Took), cmp.Compare(a, b))
	})
	return names
}

// An area is a mutation's location: a place in a function or, with line 0, the whole function.
type area struct {
	file         string
	line, column int
	function     block
}

func (a area) isIn(b block) bool  { return a.line > 0 && b.has(a.line, a.column) }
func (a area) meets(b block) bool { return a.function.has(b.FromLine, b.FromColumn) }
