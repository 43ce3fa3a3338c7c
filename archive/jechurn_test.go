package archive_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
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
}

func newChurned(t *testing.T, dir string, churn *jetest.Churn, o source.LayoutOptions) *churned {
	t.Helper()
	src := (&jeLog{t: t, dir: dir}).source(o)
	a := archive.New(openBucket(t, "file://"+t.TempDir(), 0), archive.Options{})
	return &churned{Directory: src, Archive: a, churn: churn, taken: map[int64]int64{}}
}

func (c *churned) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c.committed = c.churn.Committed()
	return c.Directory.Capture(ctx, want)
}

// backup makes so many snapshots. The damage that is found in what JE has just written is
// a false alarm.
func (c *churned) backup(t *testing.T, dir string, snapshots int) {
	o := options
	o.Force = true           // without tails there may be nothing new yet
	o.Acceptance = acceptAll // on a slow machine the cleaner may have replaced all files since the last
	for range snapshots {
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

// outcome counts what became of snapshots when they were restored.
type outcome struct{ complete, behind, contradictory, unreadable int }

func (o *outcome) wrong() int { return o.behind + o.contradictory + o.unreadable }

// restore restores every snapshot, and has JE look at it.
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

// A real JE writes while its cleaner moves records and deletes log files. Of 100
// snapshots that are taken meanwhile every one restores, opens, and holds all records as
// they were at one moment, not before its capture began. Those without the file that is
// being written end earlier, and some JE cannot open, which is what tails are for.
func TestSnapshotsOfAChurningJE(t *testing.T) {
	const (
		seed      = 11
		perSecond = 2000 // JE begins a file a second by that; at ten times as many no file outlives a backup
		archives  = 10   // side by side, since each waits until what JE has closed is two seconds old
		tailless  = 4
		snapshots = 10 // of each
	)
	dir := filepath.Join(t.TempDir(), "env")
	warmUp := jetest.StartChurn(t, dir, seed, 0)
	warmUp.Await(20_000) // the cleaner is at work from here on
	warmUp.Stop()
	churn := jetest.StartChurn(t, dir, seed, perSecond)
	churn.Await(20_001)
	var with, without []*churned
	for range archives {
		with = append(with, newChurned(t, dir, churn, source.LayoutOptions{}))
	}
	for range tailless {
		without = append(without, newChurned(t, dir, churn, source.LayoutOptions{NoTail: true}))
	}
	var running sync.WaitGroup
	for _, c := range append(with, without...) {
		running.Go(func() { c.backup(t, dir, snapshots) })
	}
	running.Wait()
	began, ended := with[0].taken[1], churn.Committed()
	churn.Stop()
	if t.Failed() {
		return
	}

	checker := jetest.StartChecker(t, seed)
	var tails, noTails outcome
	deleted := 0
	for _, c := range with {
		c.restore(t, checker, &tails, t.Errorf)
		deleted += c.deleted
	}
	for _, c := range without {
		c.restore(t, checker, &noTails, func(string, ...any) {})
	}
	t.Logf("%d operations; with tails %+v, of which %d files were deleted before their snapshot was made; without tails %+v",
		ended-began, tails, deleted, noTails)
	if tails.complete != archives*snapshots {
		t.Errorf("of %d snapshots with tails %d are complete", archives*snapshots, tails.complete)
	}
	// A set without a tail is complete when nothing was committed since a file was begun.
	if noTails.wrong() <= noTails.complete {
		t.Errorf("without tails %+v; they make too little difference", noTails)
	}
	if deleted < archives*snapshots/4 {
		t.Errorf("the cleaner deleted no more than %d files of the snapshots while they were made", deleted)
	}
}
