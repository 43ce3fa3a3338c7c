package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Some objects of any kind are damaged or gone, and repairs from a copy run beside backups, prunes,
// holds and each other, suspended, failing and killed anywhere. In the end, one repair makes every
// snapshot whole again, except those that a prune has dropped explicitly.
func TestRepairsInterleaved(t *testing.T) {
	t.Parallel()
	states := databaseStates(t)
	runs, mended := 0, 0
	soaktest.Rounds(t, 100, 150, func(t *testing.T, seed uint64) {
		virtually(t, func(t *testing.T) {
			mended += repairsInterleaved(t, seed, states)
		})
		runs++
		soaktest.Count(t, "interleavings", 1)
	})
	if mended < runs/4 {
		t.Errorf("only in %d of %d runs anything was repaired beside others", mended, runs)
	}
}

// repairsInterleaved plays one piece. It returns 1 if a repair had something to repair. No repair may
// delete a right object, however late its delete arrives.
func repairsInterleaved(t *testing.T, seed uint64, states []*source.Directory) (mended int) {
	w := &theatre{t: t, rand: rand.New(rand.NewPCG(seed, 7))}
	o := newOracle(w, "the archive", nil)
	if seed%20 != 0 {
		states = states[:5]
	}
	for range 2 + w.rand.IntN(4) {
		w.makeSnapshot(o, states)
	}
	if w.rand.IntN(2) == 0 { // the ledger lists some of them
		w.alone(o, func(ctx context.Context, x *archive.Archive) error {
			_, err := x.Prune(ctx, archive.PruneOptions{Retention: &retention.Policy{Last: 1 + w.rand.IntN(4)}})
			return err
		})
		w.makeSnapshot(o, states)
	}
	whole := o.store.Clone()
	w.damaged, o.dropped, o.whole = true, map[int64]bool{}, whole
	w.recruit()
	w.lateness = w.rand.IntN(2) == 0
	w.damage(o)
	cast := []func(int){
		func(i int) { w.repairs(o, whole, i, &mended) }, func(i int) { w.repairs(o, whole, i, &mended) },
		func(i int) { w.backsUp(o, states, i) }, func(i int) { w.prunes(o, i) }, func(i int) { w.holdsOne(o, i) },
	}
	w.repairs(o, whole, 0, &mended)
	for i := range 2 + w.rand.IntN(4) {
		cast[w.rand.IntN(len(cast))](i + 1)
	}
	w.run()
	if !t.Failed() {
		w.checkMended(o, whole)
	}
	return min(mended, 1)
}

// damage spoils one to three objects. That the newest manifest existed cannot be inferred.
func (w *theatre) damage(o *oracle) {
	keys := append(o.store.Keys(manifest.DataPrefix), o.store.Keys(manifest.BundlesPrefix)...)
	keys = append(keys, o.store.Keys(manifest.PagesPrefix)...)
	manifests := o.store.Keys(manifest.ManifestsPrefix)
	for range 1 + w.rand.IntN(3) {
		key := keys[w.rand.IntN(len(keys))]
		if w.rand.IntN(2) == 0 {
			key = manifests[w.rand.IntN(len(manifests))]
		}
		b := o.store.Snapshot().Bytes(key)
		switch {
		case b == nil:
		case w.rand.IntN(2) == 0 && key != manifests[len(manifests)-1]:
			w.say("%s is gone", key)
			o.store.Remove(key)
		default:
			w.say("%s is damaged", key)
			o.store.Replace(key, b[:len(b)/2])
		}
	}
}

func (w *theatre) repairs(o *oracle, whole *storetest.InMemory, i int, mended *int) {
	proof := w.rand.IntN(2) == 0
	w.start(fmt.Sprint("repair ", i), func(ctx context.Context, p *party) error {
		r, err := w.openFresh(p, o).Verify(ctx, archive.VerifyOptions{ReadData: true, Proof: proof, Repair: from(whole)})
		if err == nil {
			*mended += len(r.Repaired)
		}
		return err
	})
}

// backsUp makes some snapshots, whatever becomes of them.
func (w *theatre) backsUp(o *oracle, states []*source.Directory, i int) {
	order := w.rand.Perm(len(states))[:1+w.rand.IntN(3)]
	w.start(fmt.Sprint("backup ", i), func(ctx context.Context, p *party) (err error) {
		for _, k := range order {
			_, failed := w.open(p, o).Backup(ctx, states[k], anything)
			err = errors.Join(err, failed)
		}
		return err
	})
}

func (w *theatre) holdsOne(o *oracle, i int) {
	which := archive.Selector{Sequence: int64(w.rand.IntN(4))}
	w.start(fmt.Sprint("hold ", i), func(ctx context.Context, p *party) error {
		_, err := w.open(p, o).Hold(ctx, which, p.name)
		return err
	})
}

// checkMended repairs while no other actor runs, and checks that every object is back.
func (w *theatre) checkMended(o *oracle, whole *storetest.InMemory) {
	time.Sleep(time.Minute)
	x := archive.New(o.store, archive.Options{})
	r, err := x.Verify(context.Background(), archive.VerifyOptions{ReadData: true, Repair: from(whole)})
	if err != nil || len(r.Problems) > 0 {
		w.fatal("after an undisturbed repair: %+v, %v", r, err)
	}
	now := o.store.Snapshot()
	record := o.record(now)
	was := o.record(whole.Snapshot())
	for _, key := range whole.Keys(manifest.ManifestsPrefix) {
		n, _ := manifest.ParseManifestKey(key)
		good := whole.Snapshot().Bytes(key)
		switch {
		case o.dropped[n] || !was.ValidNumber(n):
		case !record.Valid(n, manifest.Sum(good)):
			w.fatal("snapshot %d is none any more, and no record dropped it", n)
		case !bytes.Equal(now.Bytes(key), good):
			w.fatal("%s is not what it was", key)
		}
	}
	w.alone(o, func(ctx context.Context, x *archive.Archive) error {
		_, err := x.Prune(ctx, archive.PruneOptions{})
		return err
	})
	if r, err := x.Verify(context.Background(), archive.VerifyOptions{ReadData: true}); err != nil || len(r.Problems) > 0 {
		w.fatal("after an undisturbed prune: %+v, %v", r, err)
	}
}
