package archive_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/jetest"
)

// A churned is an archive of an environment in which a real JE churns.
type churned struct {
	*source.Directory
	*archive.Archive
	churn     *jetest.Churn
	committed int64           // just before the last capture
	taken     map[int64]int64 // by snapshot: operations committed just before its capture
	deleted   int             // files of captures that were gone when their snapshot was made
	warned    map[string]int  // warnings, with # for each number
}

// newChurned makes an archive; state is the directory of its local state, if it has one.
func newChurned(t *testing.T, dir string, churn *jetest.Churn, o source.LayoutOptions, state string) *churned {
	t.Helper()
	src := (&jeLog{t: t, dir: dir}).source(o)
	var with archive.Options
	if state != "" {
		with.State = &archive.LocalState{Dir: state}
	}
	a := archive.New(openBucket(t, "file://"+t.TempDir(), 0), with)
	return &churned{Directory: src, Archive: a, churn: churn, taken: map[int64]int64{}, warned: map[string]int{}}
}

func (c *churned) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c.committed = c.churn.Committed()
	return c.Directory.Capture(ctx, want)
}

// backup makes snapshots as long as next returns true, with all guards in force: a churning database
// is a sound one. The damage that is found in what JE has just written is a false alarm.
func (c *churned) backup(t *testing.T, dir string, next func(made int) bool) {
	o := options
	o.Force = true // without tails there may be nothing new yet
	for made := 0; next(made); made++ {
		if err := c.churn.Reach(c.committed + 500); err != nil {
			t.Error(err)
			return
		}
		res, err := c.Backup(t.Context(), c, o)
		switch {
		case err != nil:
			t.Error(err)
			return
		case !res.Committed || len(res.Damaged) > 0 || len(res.Changed) > 0:
			t.Errorf("after %d operations: committed %v, damaged %q, changed %v", c.committed, res.Committed, res.Damaged, res.Changed)
			return
		}
		for _, w := range res.Warnings {
			c.warned[anyNumber.ReplaceAllString(w, "#")]++
		}
		c.taken[res.Snapshot.Sequence] = c.committed
		m, err := c.Snapshot(t.Context(), archive.Selector{Sequence: res.Snapshot.Sequence})
		if err != nil {
			t.Error(err)
			return
		}
		for i := range m.Files {
			if _, err := os.Stat(filepath.Join(dir, m.Files[i].Name)); err != nil {
				c.deleted++
			}
		}
	}
}

var anyNumber = regexp.MustCompile(`\b[0-9a-f]*[0-9][0-9a-f]*\b`)

// outcome counts what became of snapshots when they were restored.
type outcome struct{ complete, behind, contradictory, unreadable int }

func (o *outcome) wrong() int { return o.behind + o.contradictory + o.unreadable }

// restore restores every snapshot, and opens it with JE.
func (c *churned) restore(t *testing.T, checker *jetest.Checker, o *outcome, wrong func(format string, args ...any)) {
	t.Helper()
	for sequence, committed := range c.taken {
		dir := filepath.Join(t.TempDir(), "restored")
		m, err := c.Snapshot(t.Context(), archive.Selector{Sequence: sequence})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Restore(t.Context(), m, dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		n, err := checker.Check(dir)
		switch {
		case errors.Is(err, jetest.ErrUnreadable):
			o.unreadable++
			wrong("snapshot %d: %v", sequence, err)
		case err != nil:
			o.contradictory++
			wrong("snapshot %d: %v", sequence, err)
		case n < committed:
			o.behind++
			wrong("snapshot %d holds %d operations, and %d were committed before its capture", sequence, n, committed)
		default:
			o.complete++
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// A real JE writes while its cleaner moves records and deletes log files. No snapshot taken during
// this is refused. Every one restores, opens, and holds all records as they were at one moment, not
// before its capture began. Snapshots without the file that is being written end earlier. JE cannot
// open some of those, which is what tails are for.
//
// In a soak, STRONGROOM_SOAK=10m, two archives take a snapshot every two seconds for so long.
func TestSnapshotsOfAChurningJE(t *testing.T) {
	t.Parallel()
	const (
		seed      = 11
		perSecond = 2000 // JE begins a file a second by that; at ten times as many no file outlives a backup
		snapshots = 4    // of each archive
		interval  = 2 * time.Second
	)
	archives, tailless := 4, 2 // side by side, since each waits until what JE has closed is two seconds old
	next := func(made int) bool { return made < snapshots }
	soak := soaktest.For(t, 0)
	if soak > 0 {
		archives, tailless = 2, 0 // one with local state and one without
	}
	dir := filepath.Join(t.TempDir(), "env")
	warmUp := jetest.StartChurn(t, dir, seed, 0)
	warmUp.Await(20_000) // the cleaner is at work from here on
	warmUp.Stop()
	churn := jetest.StartChurn(t, dir, seed, perSecond)
	churn.Await(20_001)
	if soak > 0 {
		start := time.Now()
		next = func(made int) bool {
			at := time.Duration(made) * interval
			if at < soak {
				time.Sleep(time.Until(start.Add(at)))
			}
			return at < soak
		}
	}
	var with, without []*churned
	for i := range archives {
		state := ""
		if i%2 == 0 {
			state = t.TempDir()
		}
		with = append(with, newChurned(t, dir, churn, source.LayoutOptions{}, state))
	}
	for range tailless {
		without = append(without, newChurned(t, dir, churn, source.LayoutOptions{NoTail: true}, t.TempDir()))
	}
	var running sync.WaitGroup
	for _, c := range append(with, without...) {
		running.Go(func() { c.backup(t, dir, next) })
	}
	running.Wait()
	began, ended := with[0].taken[1], churn.Committed()
	churn.Stop()
	if t.Failed() {
		return
	}

	checker := jetest.StartChecker(t, seed)
	var tails, noTails outcome
	deleted, taken, warned := 0, 0, map[string]int{}
	for _, c := range with {
		c.restore(t, checker, &tails, t.Errorf)
		deleted, taken = deleted+c.deleted, taken+len(c.taken)
	}
	for _, c := range without {
		c.restore(t, checker, &noTails, func(string, ...any) {})
	}
	for _, c := range append(with, without...) {
		for w, n := range c.warned {
			warned[w] += n
		}
	}
	t.Logf("%d operations; %d snapshots with tails %+v, %d files of them deleted before their snapshot was made; "+
		"without tails %+v; no refusal",
		ended-began, taken, tails, deleted, noTails)
	soaktest.Count(t, "snapshots", int64(taken))
	for _, w := range slices.Sorted(maps.Keys(warned)) {
		t.Logf("%d times: %s", warned[w], w)
	}
	if tails.complete != taken {
		t.Errorf("of %d snapshots with tails %d are complete", taken, tails.complete)
	}
	// A set without a tail is complete when nothing was committed since a file was begun.
	if tailless > 0 && noTails.wrong() <= noTails.complete {
		t.Errorf("without tails %+v; they make too little difference", noTails)
	}
	if soak > 0 && deleted < taken/4 { // a slow machine deletes less in a short run
		t.Errorf("the cleaner deleted no more than %d files of the snapshots while they were made", deleted)
	}
}
