package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/killtest"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
)

// A killable is a command that is killed at each of its system calls.
type killable struct {
	name    string
	prepare func(t *testing.T, w *killWorld)
	args    func(w *killWorld) []string
	// killed checks the state that a killed run has left, before anything else runs.
	killed func(t *testing.T, w *killWorld)
	// between changes the world before the command runs again, if it is not the same world.
	between func(t *testing.T, w *killWorld)
	// again checks how the second run of the command ended, and the state that it has left.
	again func(t *testing.T, w *killWorld, changed bool, o outcome)
}

// A killWorld is where a command is killed once.
type killWorld struct {
	dir    string // of all that follows
	url    string // file:// of the archive
	db     string // the source
	to     string // the target
	output string // what the killed run has printed
	was    bool   // the killed run had done its work: it may refuse to do it again
}

func newKillWorld(t *testing.T, dir string) *killWorld {
	t.Helper()
	w := &killWorld{
		dir: dir, url: "file://" + filepath.Join(dir, "archive"), db: filepath.Join(dir, "db"),
		to: filepath.Join(dir, "targets", "r"),
	}
	if err := errors.Join(os.Mkdir(w.db, 0o755), os.Mkdir(filepath.Dir(w.to), 0o755)); err != nil {
		t.Fatal(err)
	}
	return w
}

// state is the local state of the host on which the command is killed.
func (w *killWorld) state() string { return filepath.Join(w.dir, "state") }

// run runs the command as a process, and kills it at a moment unless that is 0.
func (w *killWorld) run(t *testing.T, moment int, args []string) (killtest.Result, outcome) {
	t.Helper()
	c := program(t, args...)
	c.Env = append(os.Environ(), "STRONGROOM_STATE_DIR="+w.state(), "TMPDIR="+w.dir)
	out, err1 := os.Create(filepath.Join(w.dir, "stdout"))
	errs, err2 := os.Create(filepath.Join(w.dir, "stderr"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = out, errs
	r, err := killtest.Run(c, moment)
	if errors.Is(err, killtest.ErrNotPermitted) {
		t.Skip(err)
	}
	output, err1 := os.ReadFile(out.Name())
	complained, err2 := os.ReadFile(errs.Name())
	if err := errors.Join(err, err1, err2, out.Close(), errs.Close()); err != nil {
		t.Fatal(err)
	}
	return r, outcome{code: r.Code, stdout: string(output), stderr: string(complained)}
}

// host runs the program on the host on which it is killed.
func (w *killWorld) host(t *testing.T, args ...string) outcome {
	t.Helper()
	c := program(t, args...)
	c.Env = append(os.Environ(), "STRONGROOM_STATE_DIR="+w.state(), "TMPDIR="+w.dir)
	return finish(t, c)
}

// elsewhere runs the program in this process, with the local state of another host.
func (w *killWorld) elsewhere(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(args, &out, &errs)
	return outcome{code: code, stdout: out.String(), stderr: errs.String()}
}

// must is elsewhere for a command that has to succeed.
func (w *killWorld) must(t *testing.T, args ...string) outcome {
	t.Helper()
	o := w.elsewhere(t, args...)
	if o.code != exitDone {
		t.Fatalf("%q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o
}

// backup makes a snapshot of these log files.
func (w *killWorld) backup(t *testing.T, files logFiles) {
	t.Helper()
	files.write(t, w.db)
	w.must(t, "backup", "--source", w.db, "--layout", "je", "--node", "n", w.url)
}

// intact checks that list shows these snapshots or more, and that each can be restored. No
// archive is right where there need not be a snapshot.
func (w *killWorld) intact(t *testing.T, atLeast int) (snapshots int) {
	t.Helper()
	o := w.elsewhere(t, "list", "--json", w.url)
	if o.code == exitNotFound && atLeast == 0 {
		return 0
	}
	var all []summaryOnly
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || o.code != exitDone || len(all) < atLeast {
		t.Fatalf("list: exit code %d, %v, want %d snapshots\n%s%s", o.code, err, atLeast, o.stdout, o.stderr)
	}
	for _, s := range all {
		if s.State != "ok" {
			t.Fatalf("snapshot %d is %s", s.Sequence, s.State)
		}
	}
	w.must(t, "verify", "--read-data", "--no-proof", w.url)
	return len(all)
}

// logFiles are a database's, by name.
type logFiles map[string][]byte

// killLogs are the log files of a small database at three moments. From one to the next the
// cleaner has taken the first file, the one that was being written has grown, and others came.
func killLogs() [3]logFiles {
	noise := rand.NewChaCha8([32]byte{1})
	var all, half logFiles = logFiles{}, logFiles{}
	for n, previous := 0, uint32(0); n < 7; n++ {
		log := entriestest.NewJE(6, uint32(n), previous)
		name := fmt.Sprintf("%08x.jdb", n)
		half[name] = bytes.Clone(log.Fill(500, noise).Bytes)
		all[name] = log.Fill(900, noise).Bytes
		previous = log.Last
	}
	var moments [3]logFiles
	for i := range moments {
		moments[i] = logFiles{}
		for n := i; n <= i+2; n++ {
			name := fmt.Sprintf("%08x.jdb", n+i)
			moments[i][name] = all[name]
			if n == i+2 {
				moments[i][name] = half[name]
			}
		}
	}
	return moments
}

// write makes a directory hold these files and no other.
func (l logFiles) write(t *testing.T, dir string) {
	t.Helper()
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if l[f.Name()] == nil {
			err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	for name, b := range l {
		err = errors.Join(err, writeLog(filepath.Join(dir, name), b))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// are reports whether these are the files below a directory, and all of them.
func (l logFiles) are(t *testing.T, dir string) bool {
	t.Helper()
	return maps.EqualFunc(l, filesBelow(t, dir), bytes.Equal)
}

// filesBelow reads the files below a directory, by their names there.
func filesBelow(t *testing.T, dir string) logFiles {
	t.Helper()
	found := logFiles{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err == nil {
			found[below], err = os.ReadFile(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (l logFiles) names() []string { return slices.Sorted(maps.Keys(l)) }

// A killCut is one moment of a command, and whether the world changes before it runs again.
type killCut struct {
	command *killable
	moment  int
	changes bool
}

func (c *killCut) String() string {
	if c.changes {
		return fmt.Sprintf("%s at %d, then a snapshot", c.command.name, c.moment)
	}
	return fmt.Sprintf("%s at %d", c.command.name, c.moment)
}

// killEverywhere kills commands at the moments of their system calls: at all of them in a soak, and
// otherwise at sample moments of each command, chosen evenly.
func killEverywhere(t *testing.T, commands []killable, sample int) {
	t.Helper()
	whole(t)
	limit := soaktest.For(t, time.Hour)
	cuts := killCuts(t, commands, sample)
	var took []time.Duration
	failures := 0
	for start := time.Now(); len(took) < len(cuts) && time.Since(start) < limit && failures < 10; {
		before, cut := time.Now(), cuts[len(took)]
		if !t.Run(cut.String(), func(t *testing.T) { cut.run(t) }) {
			failures++ // one fault shows at several moments, and more than one fault is worth reporting
			soaktest.Keep(t, cut.String())
		}
		took = append(took, time.Since(before))
	}
	slices.Sort(took)
	if len(took) > 0 {
		t.Logf("%d of %d cuts, %s each (median)", len(took), len(cuts), took[len(took)/2])
	}
}

// killCuts runs each command without a kill and returns where it can be killed, first where
// an earlier soak has failed.
func killCuts(t *testing.T, commands []killable, sample int) []killCut {
	t.Helper()
	const spare = 4 // more moments than those that one run had
	_, isSoak := soaktest.Duration(t)
	kept := soaktest.Kept(t)
	var first, cuts []killCut
	for i := range commands {
		last := (&killCut{command: &commands[i]}).run(t)
		t.Logf("%s has %d moments", commands[i].name, last)
		for _, changes := range []bool{false, true} {
			for n := range last + spare {
				cut := killCut{&commands[i], n + 1, changes}
				switch {
				case slices.Contains(kept, cut.String()):
					first = append(first, cut)
				case isSoak || n*sample/last != (n+1)*sample/last: // sample times for n below last
					cuts = append(cuts, cut)
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(soaktest.Seed(t), 0))
	random.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
	return append(first, cuts...)
}

// run kills the command once and runs it again. It returns how many moments the first run had.
func (c *killCut) run(t *testing.T) (moments int) {
	t.Helper()
	dir := t.TempDir()
	w := newKillWorld(t, dir)
	c.command.prepare(t, w)
	args := c.command.args(w)
	r, o := w.run(t, c.moment, args)
	w.output = o.stdout
	defer func() {
		if t.Failed() {
			t.Logf("it was killed %s", r.Call)
		}
	}()
	if !r.Killed && r.Code != exitDone {
		t.Fatalf("%q: exit code %d\n%s%s", args, r.Code, o.stdout, o.stderr)
	}
	if r.Killed {
		soaktest.Count(t, "kills", 1)
	}
	c.command.killed(t, w)
	if c.changes {
		c.command.between(t, w)
	}
	c.command.again(t, w, c.changes, w.host(t, args...))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return r.Moments
}
