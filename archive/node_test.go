package archive_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A container that is created again has a new host name, and no local state. Its backups go on:
// the first one warns, and records the name, also when nothing else has changed.
func TestNewNodeName(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*database){
		"nothing has changed": func(*database) {},
		"the open file grew":  func(d *database) { d.grow(10) },
		"a new file":          func(d *database) { d.flip(10) },
		"one closed file is left": func(d *database) {
			for _, n := range d.closed()[1:] {
				d.remove(n)
			}
			d.flip(10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, t.TempDir(), 70)
			db.fill(6, 100)
			store := storetest.Memory(t)
			if _, err := archive.New(store, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}).Backup(t.Context(), db.source(), options); err != nil {
				t.Fatal(err)
			}
			change(db)
			o := options
			o.Node = "node-2"
			a := archive.New(store, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
			res, err := a.Backup(t.Context(), db.source(), o)
			if err != nil || !res.Committed || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], `this is node "node-2" and snapshot 1 was made by "node-1"`) {
				t.Fatalf("committed %v, warnings %q, %v", res.Committed, res.Warnings, err)
			}
			if m := newest(t, a); m.Node != "node-2" || len(m.Accepted) > 0 {
				t.Errorf("node %q, accepted %q", m.Node, m.Accepted)
			}
			if res, err := a.Backup(t.Context(), db.source(), o); err != nil || res.Committed || len(res.Warnings) > 0 {
				t.Errorf("the next one: committed %v, warnings %q, %v", res.Committed, res.Warnings, err)
			}
		})
	}
}

// Without common content, a name decides nothing either: the other evidence does.
func TestNewNodeNameWithoutCommonContent(t *testing.T) {
	t.Parallel()
	other := options
	other.Node = "node-2"
	for _, test := range []struct {
		name  string
		begun time.Duration // of the new files, from the capture of the old ones
		want  error
	}{
		{"begun since", time.Minute, nil},
		{"begun before", -time.Minute, archive.ErrForeign},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			replaceFiles(t, dir, generation(0, 5, time.Now().Add(-time.Hour), 0)...)
			store := storetest.Memory(t)
			if _, err := archive.New(store, archive.Options{}).Backup(t.Context(), jeSource(t, dir, plain), options); err != nil {
				t.Fatal(err)
			}
			replaceFiles(t, dir, generation(8, 12, time.Now().Add(test.begun), 0)...)
			res, err := archive.New(store, archive.Options{}).Backup(t.Context(), jeSource(t, dir, plain), other)
			isRight(t, res, err, test.want)
			if test.want == nil && len(res.Warnings) != 3 { // recognized, the node, and the file that was open has gone
				t.Errorf("warnings %q", res.Warnings)
			}
		})
	}
}

// Files without numbers may all be replaced by others; not by those of another node, unless
// they lie in the same directory.
func TestNewNodeNameOfUnorderedFiles(t *testing.T) {
	t.Parallel()
	for _, state := range []bool{false, true} {
		db := newDatabase(t, t.TempDir(), 71)
		db.set("a.log", db.noise(10))
		db.remove(name(0))
		o := archive.Options{}
		if state {
			o.State = &archive.LocalState{Dir: t.TempDir()}
		}
		a := archive.New(storetest.Memory(t), o)
		if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil {
			t.Fatal(err)
		}
		db.remove("a.log")
		db.set("b.log", db.noise(10))
		elsewhere := options
		elsewhere.Node = "node-2"
		if _, err := a.Backup(t.Context(), allFiles(t, db.dir), elsewhere); errors.Is(err, archive.ErrForeign) == state {
			t.Errorf("with local state %v: %v", state, err)
		}
		if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil && !state {
			t.Errorf("under the same name: %v", err)
		}
	}
}

// A re-encrypted copy passes no guard again: it records what was accepted for the original.
func TestReencryptedCopyKeepsAcceptedGuards(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 72)
	db.fill(6, 100)
	from := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, from, db)
	db.remove(name(db.last))
	db.remove(name(db.last - 1))
	o := options
	o.Accept = []manifest.Guard{manifest.GuardRollback}
	if _, err := from.Backup(t.Context(), db.source(), o); err != nil {
		t.Fatal(err)
	}
	db.last -= 2
	db.flip(10)
	mustBackup(t, from, db)
	to := archive.New(storetest.Memory(t), archive.Options{})
	if _, err := archive.Reencrypt(t.Context(), from, to, archive.CopyOptions{Tool: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range mustList(t, to) {
		if (s.Sequence == 2) != (len(s.Accepted) == 1) {
			t.Errorf("snapshot %d: accepted %q", s.Sequence, s.Accepted)
		}
	}
}
