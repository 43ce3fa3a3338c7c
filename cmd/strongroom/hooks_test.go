package main

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// The second command receives the destinations in their order. A destination whose run panicked
// counts as failed.
func TestResult(t *testing.T) {
	t.Parallel()
	made := func(name string, n int64) backupOutcome {
		s := &manifest.Summary{}
		s.Sequence = n
		return backupOutcome{name: name, begun: true, res: &archive.BackupResult{Committed: true, Snapshot: s}}
	}
	for _, test := range []struct {
		all  []backupOutcome
		want []string
	}{
		{[]backupOutcome{made("a.3", 3), made("a", 1), made("a.2", 2)}, []string{"STRONGROOM_RESULT=made", "STRONGROOM_SNAPSHOT=1 2 3"}},
		{[]backupOutcome{{name: "a", begun: true}, made("a.2", 2)}, []string{"STRONGROOM_RESULT=failed", "STRONGROOM_SNAPSHOT=2"}},
		{[]backupOutcome{{name: "a", err: errors.New("no answer"), res: &archive.BackupResult{}}}, []string{"STRONGROOM_RESULT=failed"}},
		{[]backupOutcome{{name: "a", res: &archive.BackupResult{}}}, []string{"STRONGROOM_RESULT=unchanged"}},
	} {
		if got := result(test.all); !slices.Equal(got, test.want) {
			t.Errorf("%q, not %q", got, test.want)
		}
	}
}

// A reload leaves an archive that did not change in its group, without those that are gone;
// and of another source there is another group.
func TestGroupsAfterAReload(t *testing.T) {
	t.Parallel()
	var g hookGroups
	one := config.Archive{Name: "orders", Group: "orders", Source: config.Source{Dir: "/db"}}
	two := one
	two.Name = "orders.2"
	both := &config.Config{Archives: []config.Archive{one, two}}
	was := g.of(both, &one)
	if g.of(both, &two) != was {
		t.Error("two destinations of one database have two groups")
	}
	alone := &config.Config{Archives: []config.Archive{one}}
	g.set(alone)
	synctest.Test(t, func(t *testing.T) {
		d := t.TempDir()
		logDir(t, d, 0, 2, 100)
		j := job{dir: d, layout: source.LayoutOptions{Name: "je"}}
		src, err := j.openSource()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c, err := was.Enter().Capture(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("it waited for %v", took)
		}
	})
	one.Source.Dir = "/other"
	if g.set(&config.Config{Archives: []config.Archive{one}}); len(g.all) != 1 || g.of(alone, &one) == was {
		t.Errorf("%d groups", len(g.all))
	}
}
