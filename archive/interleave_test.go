package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// Backups, prunes, holds, copies, listings and restores in any order, suspended, failing and killed
// anywhere. No snapshot ever loses an object or drops out without a ledger record, held snapshots
// stay, and at the end one prune leaves no useless object. Hosts keep local state or lose it,
// deletes arrive late, two restores share a directory, and disks are replaced. The package
// archive/protocol checks every state of a small model; this test tries the same with the code.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	states := databaseStates(t)
	rounds, late := 0, 0
	soaktest.Rounds(t, 40, 150, func(t *testing.T, seed uint64) {
		virtually(t, func(t *testing.T) { late += interleave(t, seed, states) })
		rounds++
		soaktest.Count(t, "interleavings", 1)
	})
	soaktest.Count(t, "invalid manifests", int64(late))
	if rounds >= 2000 && late == 0 { // a few in a thousand are usual
		t.Error("no manifest was created so late that it was invalid: the test is for that case")
	}
}

// databaseStates are moments in the life of a database, which backups find in any order, so
// that contents go and come back. The last ones have enough files for pages.
func databaseStates(t *testing.T) []*source.Directory {
	var states []*source.Directory
	db := newDatabase(t, t.TempDir(), 5)
	for i := range 7 {
		db.grow(40)
		db.flip(10)
		switch {
		case i == 3:
			db.fill(22, 20) // enough for a bundle
		case i == 5:
			db.fill(260, 1)
		case len(db.closed()) > 3:
			db.remove(db.closed()[0])
		}
		dir := t.TempDir()
		for name, content := range db.files {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, db.now, db.now); err != nil {
				t.Fatal(err)
			}
		}
		states = append(states, (&database{t: t, dir: dir}).source())
	}
	return states
}

// interleave plays one piece, and counts the manifests that came too late.
func interleave(t *testing.T, seed uint64, states []*source.Directory) (late int) {
	w := &theatre{t: t, rand: rand.New(rand.NewPCG(seed, 6))}
	a := newOracle(w, "the archive", nil)
	b := newOracle(w, "the copy", a)
	if seed%20 != 0 {
		states = states[:5]
	}
	for range w.rand.IntN(4) {
		w.makeSnapshot(a, states)
	}
	w.recruit()
	w.lateness = w.rand.IntN(3) == 0
	cast := []func(int){
		func(i int) { w.backups(a, states, i) }, func(i int) { w.backups(a, states, i) },
		func(i int) { w.prunes(a, i) }, func(i int) { w.prunes(a, i) },
		func(i int) { w.restores(a, i) },
		func(i int) { w.holds(a, i) },
		func(i int) { w.copies(a, b, i) }, func(i int) { w.prunes(b, i) },
		func(i int) { w.lists(a, i) }, func(i int) { w.verifies(a, i) },
	}
	if w.rand.IntN(4) == 0 {
		cast = w.remount(a, states)
	}
	cast = cast[:min(len(cast), []int{4, 4, 6, 10}[w.rand.IntN(4)])] // few kinds meet more often
	for i := range 3 + w.rand.IntN(5) {
		cast[w.rand.IntN(len(cast))](i)
	}
	w.run()
	if t.Failed() {
		return 0
	}
	w.checkPromises(a, b, states)
	return a.late + b.late
}

// checkPromises checks the result of a piece against the promises of docs/design.md. The oracles
// have checked promise 3 and the report of existing snapshots only (2) at every step.
func (w *theatre) checkPromises(a, b *oracle, states []*source.Directory) {
	if w.address != nil {
		w.address.now = a // the disk is back
	}
	w.checkRestored(a) // 4
	for _, o := range w.places(a) {
		if o != a && len(o.valid) > 0 {
			w.end(o, nil)
		}
	}
	w.end(a, states) // 1 and 5
	if len(b.valid) > 0 {
		w.end(b, nil)
	}
}

// end is what must be possible at the end, without help from other actors.
func (w *theatre) end(o *oracle, states []*source.Directory) {
	w.say("the end of %s", o.name)
	if len(o.valid) > 0 {
		w.alone(o, func(ctx context.Context, x *archive.Archive) error {
			_, err := x.Prune(ctx, archive.PruneOptions{})
			return err
		})
		o.clean(w.t)
	}
	if states != nil {
		w.makeSnapshot(o, states)
	}
	x := archive.New(o.store, archive.Options{})
	r, err := x.Verify(context.Background(), archive.VerifyOptions{ReadData: true})
	if err != nil || len(r.Problems) > 0 || r.Snapshots != len(o.valid) {
		w.fatal("%s: %d snapshots, and verify reports %+v, %v", o.name, len(o.valid), r, err)
	}
}

// alone does something while no other actor runs, and requires success.
func (w *theatre) alone(o *oracle, do func(context.Context, *archive.Archive) error) {
	err := do(context.Background(), archive.New(watched{o.store, o}, archive.Options{}))
	if err != nil {
		w.fatal("%s: undisturbed: %v", o.name, err)
	}
}

// watched is a store that only the oracle observes, one change at a time: here no stage orders the
// transfers of a party.
type watched struct {
	store.Store
	o *oracle
}

func (s watched) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	s.o.one.Lock()
	defer s.o.one.Unlock()
	defer s.o.look("put " + key)
	return s.Store.Put(ctx, key, body, sums)
}

func (s watched) Delete(ctx context.Context, objects []store.Object) error {
	s.o.one.Lock()
	defer s.o.one.Unlock()
	defer s.o.look("delete")
	return s.Store.Delete(ctx, objects)
}

var anything = archive.BackupOptions{Node: "node-1", Tool: "test", Acceptance: acceptAll}

func (w *theatre) makeSnapshot(o *oracle, states []*source.Directory) {
	force := anything
	force.Force = true
	w.alone(o, func(ctx context.Context, x *archive.Archive) error {
		_, err := x.Backup(ctx, states[w.rand.IntN(len(states))], force)
		return err
	})
}

// backups makes some, by one process or several.
func (w *theatre) backups(o *oracle, states []*source.Directory, i int) {
	times, fresh := 1+w.rand.IntN(4), w.rand.IntN(2) == 0
	order := w.rand.Perm(len(states))
	w.start(fmt.Sprint("backup ", i), func(ctx context.Context, p *party) (err error) {
		x := w.open(p, o)
		for k := range times {
			if fresh {
				x = w.open(p, o)
			}
			res, failed := x.Backup(ctx, states[order[k%len(order)]], anything)
			err = errors.Join(err, failed)
			if failed == nil {
				w.reported(o, p, res.Snapshot.Sequence)
			}
			w.checkWarnings(res)
		}
		return err
	})
}

func (w *theatre) prunes(o *oracle, i int) {
	var all []retention.Policy
	for range 1 + w.rand.IntN(3) {
		all = append(all, retention.Policy{Last: 1 + w.rand.IntN(2)})
	}
	w.start(fmt.Sprint("prune ", i), func(ctx context.Context, p *party) (err error) {
		for _, policy := range all {
			_, failed := w.open(p, o).Prune(ctx, archive.PruneOptions{Retention: &policy})
			err = errors.Join(err, failed)
		}
		return err
	})
}

// holds holds a snapshot, and perhaps releases it.
func (w *theatre) holds(o *oracle, i int) {
	which, release := archive.Selector{Sequence: int64(w.rand.IntN(4))}, w.rand.IntN(2) == 0
	w.start(fmt.Sprint("hold ", i), func(ctx context.Context, p *party) error {
		n, err := w.open(p, o).Hold(ctx, which, p.name)
		if err != nil {
			return err
		}
		w.reported(o, p, n)
		if w.address != nil {
			return nil // the hold may be one of another archive
		}
		if o.released[n] { // by another actor, perhaps later
			return nil
		}
		if _, there := o.valid[n]; !there {
			w.fatal("%s: snapshot %d is reported held, and is none", o.name, n)
		}
		o.held[n] = true
		if !release {
			return nil
		}
		delete(o.held, n)
		o.released[n] = true
		_, err = w.open(p, o).Release(ctx, archive.Selector{Sequence: n})
		return err
	})
}

func (w *theatre) copies(from, to *oracle, i int) {
	times := 1 + w.rand.IntN(2)
	w.start(fmt.Sprint("copy ", i), func(ctx context.Context, p *party) (err error) {
		for range times {
			r, failed := archive.Copy(ctx, w.open(p, from), w.open(p, to), archive.CopyOptions{})
			err = errors.Join(err, failed)
			for _, n := range r.Snapshots {
				w.reported(to, p, n)
			}
			if len(r.Problems) > 0 {
				w.fatal("the copy names problems: %+v", r.Problems)
			}
		}
		return err
	})
}

// verifies checks that a verify reports no damage where there is none, while others prune. It may
// also repair objects that are not lost.
func (w *theatre) verifies(o *oracle, i int) {
	options := archive.VerifyOptions{ReadData: true}
	if w.rand.IntN(2) == 0 {
		options.Repair = from(o.store.Clone())
	}
	w.start(fmt.Sprint("verify ", i), func(ctx context.Context, p *party) error {
		r, err := w.openFresh(p, o).Verify(ctx, options)
		if err == nil && len(r.Problems)+len(r.Repaired) > 0 && !w.damaged {
			w.fatal("verify finds problems: %+v, and repairs %+v", r.Problems, r.Repaired)
		}
		return err
	})
}

func (w *theatre) lists(o *oracle, i int) {
	w.start(fmt.Sprint("list ", i), func(ctx context.Context, p *party) (err error) {
		for range 3 {
			all, failed := w.open(p, o).List(ctx, 0)
			err = errors.Join(err, failed)
			for _, s := range all {
				w.reported(o, p, s.Sequence)
				if s.Err == nil {
					continue
				}
				if !errors.Is(s.Err, errCrashed) && !errors.Is(s.Err, manifest.ErrVersion) {
					err = errors.Join(err, s.Err)
				}
			}
		}
		return err
	})
}
