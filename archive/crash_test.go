package archive_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/crashtest"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// A crashCase is an operation on a directory during which the power fails.
type crashCase struct {
	name string
	// prepare makes what is there before, and is durable. It returns the rest of the case.
	prepare func(t *testing.T, dir string) crashSteps
	// syncsAll: files become durable by one sync of the file system, as many files do, and not by one each.
	syncsAll bool
}

type crashSteps struct {
	// run executes the operation, as one command line does. It notes what it reports as done.
	run func(dir string, note func(string)) error
	// check checks the promises after a power loss; reported is what was noted before it.
	check func(dir string, reported []string) error
	// done checks what the operation, once it has succeeded, leaves.
	done func(dir string) error
}

// crashes counts what is tried, and leaves out what was tried before.
type crashes struct {
	t     *testing.T
	steps crashSteps
	base  *crashtest.Log
	tried map[string]bool
	count int64
}

// begin executes a case once, without any crash.
func begin(t *testing.T, c *crashCase) *crashes {
	t.Helper()
	dir := t.TempDir()
	x := &crashes{t: t, steps: c.prepare(t, dir), tried: map[string]bool{}}
	r := crashtest.Record(t, dir)
	defer r.Stop()
	if c.syncsAll {
		r.SyncAll()
	}
	var err error
	virtually(t, func(*testing.T) {
		if err = x.steps.run(dir, r.Note); err == nil {
			err = x.steps.done(dir)
		}
	})
	if err != nil {
		t.Fatalf("without any crash: %v", err)
	}
	x.base = r.Log()
	return x
}

// kill kills the process before event n of a log, and executes the operation again, all on
// one system. It returns the log of both.
func (x *crashes) kill(l *crashtest.Log, n int) *crashtest.Log {
	x.t.Helper()
	var whole *crashtest.Log
	x.in(l, n, crashtest.Everything(), func(dir string) error {
		r := crashtest.Continue(x.t, dir, l.Before(n))
		defer r.Stop()
		if err := x.steps.run(dir, r.Note); err != nil {
			return fmt.Errorf("again after the process was killed: %w", err)
		}
		whole = r.Log()
		return x.steps.done(dir)
	})
	return whole
}

// lose lets the power fail before event n of a log, and checks the promises: those that hold
// at once, and those that hold when the operation is executed again.
func (x *crashes) lose(l *crashtest.Log, n int, loss crashtest.Loss) {
	x.t.Helper()
	x.in(l, n, loss, func(dir string) error {
		if err := x.steps.check(dir, l.Notes(n)); err != nil {
			return err
		}
		if err := x.steps.run(dir, func(string) {}); err != nil {
			return fmt.Errorf("running it again: %w", err)
		}
		if err := x.steps.done(dir); err != nil {
			return fmt.Errorf("after running it again: %w", err)
		}
		return nil
	})
}

// in makes what survives, unless the same was tried before, and calls f there.
func (x *crashes) in(l *crashtest.Log, n int, loss crashtest.Loss, f func(dir string) error) {
	x.t.Helper()
	state, err := l.At(n)
	if err != nil {
		x.t.Fatal(err)
	}
	left := state.Lose(loss)
	sum := left.Sum()
	key := fmt.Sprintf("%x %q", sum[:sha256.Size/2], l.Notes(n))
	if loss.Name != crashtest.Everything().Name {
		if x.tried[key] {
			return
		}
		x.tried[key] = true
	}
	x.count++
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		x.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := left.Write(dir); err != nil {
		x.t.Fatal(err)
	}
	virtually(x.t, func(*testing.T) { err = f(dir) }) // so that no pause between attempts is waited for
	if err != nil {
		x.t.Fatalf("%s, at event %d of %d: %v\n%s", loss.Name, n, l.Len(), err, l.Around(n))
	}
}

// cuts returns every stride-th place right after an event.
func cuts(l *crashtest.Log, stride int, after func(n int) bool) []int {
	var all []int
	for n := range l.Len() {
		if after(n) {
			all = append(all, n+1)
		}
	}
	var chosen []int
	for i := len(all) % stride; i < len(all); i += stride {
		chosen = append(chosen, all[i])
	}
	return chosen
}

// A crash at any point of an operation costs nothing that was reported, and the same
// operation succeeds afterwards. After each event the power fails in every way of Losses.
func TestPowerLoss(t *testing.T) {
	soaktest.SkipIfRacing(t)
	var count int64
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			x := begin(t, &c)
			end := x.base.Len()
			for _, loss := range crashtest.Losses() {
				x.lose(x.base, end, loss)
			}
			stride := 3
			switch {
			case brief():
				stride = 4
			case soaktest.IsFull(t):
				stride = 1
			}
			for i, n := range cuts(x.base, stride, x.base.Changes) {
				losses := crashtest.Losses()
				if brief() { // each cut with one of them
					losses = losses[i%len(losses):][:1]
				}
				for _, loss := range losses {
					x.lose(x.base, n, loss)
				}
			}
			count += x.count
			t.Logf("%d events, %d crashes", end, x.count)
		})
	}
	t.Logf("%d crashes", count)
}

// A killed run may have left unsynced data. The operation that goes on from there makes it durable
// before it reports anything, as a power loss right afterwards shows.
func TestPowerLossAfterAKill(t *testing.T) {
	soaktest.SkipIfRacing(t)
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			x := begin(t, &c)
			stride := 4
			if soaktest.IsFull(t) {
				stride = 1
			}
			places := cuts(x.base, stride, x.base.Changes)
			if brief() {
				places = cuts(x.base, 2, x.base.Names)
			}
			for _, n := range places {
				l := x.kill(x.base, n)
				x.lose(l, l.Len(), crashtest.Losses()[0])
			}
			t.Logf("%d crashes", x.count)
		})
	}
}

// Any number of kills, and then a power loss that any subset of the unsynced data may survive.
func TestPowerLossAtRandom(t *testing.T) {
	begun := map[string]*crashes{}
	cases := crashCases()
	soaktest.Rounds(t, 20, 100, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 2))
		c := cases[random.IntN(len(cases))]
		x := begun[c.name]
		if x == nil {
			x = begin(t, &c)
			begun[c.name] = x
		}
		l, before := x.base, x.count
		for random.IntN(3) == 0 {
			l = x.kill(l, random.IntN(l.Len())) // before it reported that it was done
		}
		for i := range 4 {
			x.lose(l, random.IntN(l.Len()+1), crashtest.Random(seed*4+uint64(i)))
		}
		soaktest.Count(t, "crashes", x.count-before)
	})
}

func exists(path ...string) bool {
	_, err := os.Lstat(filepath.Join(path...))
	return err == nil
}

// falseAlarm returns an error if a warning reports that the archive differs from the local state.
func falseAlarm(warnings []string) error {
	for _, w := range warnings {
		if strings.Contains(w, "this host") {
			return fmt.Errorf("a false alarm: %s", w)
		}
	}
	return nil
}

// stateIsWhole checks that each file of the local state is the one before a power loss or the one
// after: of half a file nothing can be read, and a loss in the archive would go unnoticed.
func stateIsWhole(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, name := range files {
		b, readErr := os.ReadFile(name)
		if readErr == nil && !json.Valid(b) {
			readErr = fmt.Errorf("%s holds %q", name, b)
		}
		err = errors.Join(err, readErr)
	}
	return err
}
