package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A crowd is many processes that work on one archive and a copy of it. Most of them are killed at
// some moment.
type crowd struct {
	t         *testing.T
	url, copy string
	states    []string // directories of log files
	until     time.Time

	done, kills atomic.Int64
	held        map[int64]bool // that must be there
}

// Real processes back up, prune, hold, release, copy, verify and restore side by side on MinIO, and
// are killed at random. Verify reports no problem at any time, restored files equal the originals,
// held snapshots stay, and in the end one prune leaves no useless object.
func TestTogether(t *testing.T) {
	t.Parallel()
	whole(t)
	c := &crowd{t: t, url: storetest.S3(t), copy: storetest.S3(t), held: map[int64]bool{}}
	c.makeStates()
	c.must("backup", "--source", c.states[0], "--node", "n", c.url)
	c.until = time.Now().Add(soaktest.For(t, 5*time.Second))
	var all sync.WaitGroup
	for _, work := range []func(){
		c.backup, c.backup, c.prune(c.url), c.prune(c.url), c.prune(c.copy), c.copyOn, c.hold, c.verify, c.restore,
	} {
		all.Go(func() {
			for time.Now().Before(c.until) && !t.Failed() {
				work()
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	soaktest.Count(t, "processes", c.done.Load())
	soaktest.Count(t, "kills", c.kills.Load())
	if c.kills.Load() == 0 {
		t.Error("no process was killed")
	}
	for _, url := range []string{c.url, c.copy} {
		c.must("prune", "--keep-last", "2", url)
		c.must("verify", "--read-data", url)
		var r []struct{ Unreferenced int }
		if err := json.Unmarshal([]byte(c.must("verify", "--json", url).stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r[0].Unreferenced > 0 && url == c.copy { // the archive may have those of a backup that was killed last
			t.Errorf("%d objects are left in the copy", r[0].Unreferenced)
		}
	}
	c.must("backup", "--force", "--take-over", "--accept-rollback", "--source", c.states[0], "--node", "n", c.url)
	c.must("prune", "--keep-last", "1", c.url)
	left := c.list(c.url)
	for n := range c.held {
		if !slices.Contains(left, n) {
			t.Errorf("snapshot %d was held, and is gone", n)
		}
	}
	for _, n := range left {
		c.restored(fmt.Sprintf("%s@%d", c.url, n))
	}
}

// makeStates makes a database at several moments of its life.
func (c *crowd) makeStates() {
	whole := c.t.TempDir()
	logDir(c.t, whole, 0, 40, 20_000)
	for i := range 6 {
		dir := c.t.TempDir()
		for n := 5 * i; n < 5*i+12; n++ {
			name := fmt.Sprintf("%08x.jdb", n)
			if err := os.Link(filepath.Join(whole, name), filepath.Join(dir, name)); err != nil {
				c.t.Fatal(err)
			}
		}
		c.states = append(c.states, dir)
	}
}

func (c *crowd) must(args ...string) outcome {
	c.t.Helper()
	o := finish(c.t, program(c.t, args...))
	if o.code != exitDone {
		c.t.Fatalf("%v: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o
}

// some runs the program, which may be killed, and must end with one of these codes if not.
func (c *crowd) some(codes []int, args ...string) (o outcome, ended bool) {
	p := program(c.t, args...)
	var out, errs strings.Builder
	p.Stdout, p.Stderr = &out, &errs
	if err := p.Start(); err != nil {
		c.t.Error(err)
		return o, false
	}
	if rand.IntN(2) == 0 {
		defer time.AfterFunc(rand.N(1500*time.Millisecond), func() { p.Process.Kill() }).Stop()
	}
	p.Wait() // the exit code shows the outcome
	o = outcome{code: p.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
	c.done.Add(1)
	if o.code < 0 {
		c.kills.Add(1)
		return o, false
	}
	if !slices.Contains(codes, o.code) {
		c.t.Errorf("%v: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o, o.code == exitDone
}

func (c *crowd) backup() {
	c.some([]int{exitDone, exitConflict}, "backup", "--take-over", "--accept-rollback", "--source", c.states[rand.IntN(len(c.states))], "--node", "n", c.url)
}

func (c *crowd) prune(url string) func() {
	return func() {
		c.some([]int{exitDone, exitConflict, exitNotFound}, "prune", "--keep-last", strconv.Itoa(1+rand.IntN(3)), url)
	}
}

func (c *crowd) copyOn() {
	c.some([]int{exitDone, exitConflict}, "copy", c.url, "--to", c.copy)
}

// hold holds the newest snapshot, and releases a held one once there are several. It does not try
// again a release whose outcome is unknown.
func (c *crowd) hold() {
	time.Sleep(rand.N(2 * time.Second))
	var r heldSnapshot
	o, ended := c.some([]int{exitDone, exitConflict, exitNotFound}, "hold", "--json", c.url+"@latest")
	if ended && json.Unmarshal([]byte(o.stdout), &r) == nil {
		c.held[r.Sequence] = true
	}
	if len(c.held) > 3 {
		for n := range c.held {
			delete(c.held, n)
			c.some([]int{exitDone, exitConflict}, "release", fmt.Sprintf("%s@%d", c.url, n))
			return
		}
	}
}

func (c *crowd) verify() {
	url := []string{c.url, c.copy}[rand.IntN(2)]
	o := finish(c.t, program(c.t, "verify", "--read-data", url))
	if o.code != exitDone && (o.code != exitNotFound || url == c.url) {
		c.t.Errorf("verify %s: exit code %d\n%s%s", url, o.code, o.stdout, o.stderr)
	}
}

func (c *crowd) restore() { c.restored(c.url) }

// restored restores a snapshot, which must be the database at one of its moments, unless it was
// pruned in the meantime.
func (c *crowd) restored(where string) {
	to := filepath.Join(c.t.TempDir(), "r")
	o := finish(c.t, program(c.t, "restore", where, "--to", to))
	switch o.code {
	case exitNotFound:
		return
	case exitDone:
	default:
		c.t.Errorf("restore: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		return
	}
	if !slices.ContainsFunc(c.states, func(state string) bool { return same(to, state) }) {
		c.t.Errorf("%s restores what the database never was", where)
	}
	os.RemoveAll(filepath.Dir(to))
}

// same compares the files of two directories.
func same(a, b string) bool {
	x, err1 := os.ReadDir(a)
	y, err2 := os.ReadDir(b)
	if err1 != nil || err2 != nil || len(x) != len(y) {
		return false
	}
	for _, f := range x {
		p, err1 := os.ReadFile(filepath.Join(a, f.Name()))
		q, err2 := os.ReadFile(filepath.Join(b, f.Name()))
		if err1 != nil || err2 != nil || string(p) != string(q) {
			return false
		}
	}
	return true
}

func (c *crowd) list(url string) []int64 {
	var all []summaryOnly
	if err := json.Unmarshal([]byte(c.must("list", "--json", url).stdout), &all); err != nil {
		c.t.Fatal(err)
	}
	var numbers []int64
	for _, s := range all {
		numbers = append(numbers, s.Sequence)
	}
	return numbers
}
