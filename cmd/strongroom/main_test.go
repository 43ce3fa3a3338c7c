package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/strongroom-dev/strongroom/internal/memtemp"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Args[0] == reaper {
		os.Exit(reapScript())
	}
	memtemp.Use()
	testscript.Main(tests{m}, map[string]func(){"strongroom": main})
}

// sharedDir is a directory of all tests of the package: of the program that they run, and of the
// local state of operations within their process.
var sharedDir string

// tests are those of the package, with their shared set-up.
type tests struct{ m *testing.M }

// Run implements testscript.TestingM.
func (tt tests) Run() int {
	var err error
	if sharedDir, err = os.MkdirTemp("", "strongroom-test-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(sharedDir)
	os.Setenv("STRONGROOM_STATE_DIR", filepath.Join(sharedDir, "state"))
	// They wait more than they compute. (-parallel prevails.)
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	return tt.m.Run()
}

// raced are the scripts that run with the race detector, which makes each start of the program many times slower:
// those whose commands do several things at once.
var raced = []string{"check", "cold", "destinations", "destinations-encrypted", "main-job", "repair", "service"}

// scripts returns the directory of the scripts, or the files of some of them.
func scripts() (dir string, files []string) {
	const all = "../../testdata/script"
	if !soaktest.Racing {
		return all, nil
	}
	for _, name := range raced {
		files = append(files, filepath.Join(all, name+".txtar"))
	}
	return "", files
}

// The scripts in testdata/script are the contract of the command line.
func TestScripts(t *testing.T) {
	je6, err := filepath.Abs("../../testdata/je-log6")
	if err != nil {
		t.Fatal(err)
	}
	cold := storetest.NewColdS3(t) // for cold.txtar; cleaned up after all scripts
	dir, files := scripts()
	testscript.Run(t, testscript.Params{
		Dir:   dir,
		Files: files,
		Setup: func(e *testscript.Env) error {
			e.Setenv("STRONGROOM_STATE_DIR", filepath.Join(e.WorkDir, "witness"))
			e.Setenv("JE6", je6)
			e.Setenv("COLD", cold.URL("orders"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"cut":     cut,
			"expire":  func(*testscript.TestScript, bool, []string) { cold.Expire(cold.Keys("")...) },
			"jelog":   jelog,
			"fails":   fails,
			"flip":    flip,
			"waitfor": waitFor,
			"zero":    zero,
		},
		RequireExplicitExec: true,
	})
}

// jelog DIR FILES RECORDS makes a log directory, or continues one, until it has FILES files with
// RECORDS records in each but the last. The content depends on the number of records, so that other
// numbers make another database.
func jelog(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	files, err1 := strconv.Atoi(args[1])
	records, err2 := strconv.Atoi(args[2])
	ts.Check(errors.Join(err1, err2, os.MkdirAll(dir, 0o755)))
	previous := uint32(0)
	for n := range files {
		name := filepath.Join(dir, fmt.Sprintf("%08x.jdb", n))
		want := records
		if n == files-1 {
			want /= 2 // the last is still being written
		}
		log := entriestest.NewJE(6, uint32(n), previous)
		for i := range want {
			log.Add(entriestest.JERecord, fmt.Appendf(nil, "record %d of file %d in a log of %d\n", i, n, records))
		}
		previous = log.Last
		if is, err := os.ReadFile(name); err == nil && string(is) == string(log.Bytes) {
			continue
		}
		ts.Check(writeLog(name, log.Bytes))
	}
}

// writeLog writes a log file as a database did a while ago: what is younger than two
// seconds would have to be waited for.
func writeLog(name string, content []byte) error {
	then := time.Now().Add(-10 * time.Second)
	return errors.Join(os.WriteFile(name, content, 0o644), os.Chtimes(name, then, then))
}

// fails CODE ARGS... runs the program, which must fail with this exit code.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("strongroom", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("strongroom ended with %v, want exit code %s", err, args[0])
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
	if step := repeatedStep(ts.ReadFile("stderr")); step != "" {
		ts.Fatalf("the message has %q twice", step)
	}
}

// repeatedStep returns a step that a message names twice in a row, such as "reading archive.json"; "" if there is none.
func repeatedStep(message string) string {
	for line := range strings.Lines(message) {
		steps := strings.Split(strings.TrimSpace(line), ": ")
		for i, step := range steps[1:] {
			if step == steps[i] {
				return step
			}
		}
	}
	return ""
}

// flip PATH flips a bit in the only object at or below a path.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return rewrite(name, b)
	}))
}

// zero FILE FROM TO fills bytes of a file with zeros.
func zero(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	from, err1 := strconv.Atoi(args[1])
	to, err2 := strconv.Atoi(args[2])
	b, err3 := os.ReadFile(name)
	ts.Check(errors.Join(err1, err2, err3))
	clear(b[from:to])
	ts.Check(rewrite(name, b))
}

// waitFor FILE waits until a file is there.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s did not appear", args[0])
		case <-tick.C:
		}
	}
}

// cut PATH SIZE cuts a file short.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(errors.Join(err, os.Truncate(ts.MkAbs(args[0]), n)))
}
