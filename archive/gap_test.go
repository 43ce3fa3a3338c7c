package archive_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The example of docs/protocol.md: a host has a missing snapshot in its local state, and its backup
// aims past that number. Others may take the number between, keep less, and prune objects of the
// base before the late manifest is created. So a backup that does not aim at its base's number plus
// one keeps nothing of it, or its snapshot would name missing objects.
func TestBackupThatLeavesAGapKeepsNothing(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 77)
	db.fill(5, 500)
	o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
	for range 3 {
		mustBackup(t, archive.New(mem, o), db)
		db.grow(100)
	}
	before := maps.Clone(db.files)
	loseSnapshot(mem, 3)

	late := &weak{InMemory: mem}
	late.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if key == manifest.ManifestKey(4) { // suspended right before its commit
			late.put = nil
			db.remove(name(0)) // as a cleaner does
			other := archive.New(mem, archive.Options{})
			if n := mustBackup(t, other, db).Snapshot.Sequence; n != 3 {
				t.Errorf("the other backup made snapshot %d", n)
			}
			if _, err := other.Prune(ctx, archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
				t.Error(err)
			}
		}
		return mem.Put(ctx, key, body, sums)
	}
	if n := mustBackup(t, archive.New(late, o), db).Snapshot.Sequence; n != 4 {
		t.Fatalf("the late backup made snapshot %d", n)
	}
	a := archive.New(mem, archive.Options{})
	mustRestore(t, a, 4, t.TempDir(), before)
	mustVerify(t, a)
}

// loseSnapshot removes the newest snapshot, as a rollback of the bucket does.
func loseSnapshot(mem *storetest.InMemory, n int64) {
	for _, key := range mem.Keys("") {
		k, isObject := manifest.ParseObjectKey(key)
		if isObject && k.Sequence == n || key == manifest.ManifestKey(n) {
			mem.Remove(key)
		}
	}
}

// A ledger record that was read may be one that another host created late, under the number of one
// that a prune has deleted since it was listed. It lists the snapshots of long ago. A backup that
// relied on it would report an invalid snapshot, and the next prune removes that.
func TestLateRecordIsNotBelieved(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	h.keepLast(100) // record 1, at snapshot 3
	first := h.record()
	// A prune on another host planned this after record 1, and was suspended before it created it.
	planned := &manifest.Record{
		Format: manifest.Format, Archive: first.Archive, Number: 2, Parent: &manifest.RecordRef{Number: 1, SHA256: manifest.Sum(h.store.Snapshot().Bytes(manifest.LedgerKey(1)))},
		Created: first.Created, Why: "prune", Newest: 3, Kept: first.Kept[1:], Removed: []int64{first.Kept[0].Sequence},
	}
	b, err := planned.Encode()
	if err != nil {
		t.Fatal(err)
	}

	s := &weak{InMemory: h.store}
	s.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if key == manifest.ManifestKey(4) {
			s.put = nil
			h.next() // 4
			h.next()
			h.keepLast(1) // record 2: of number 4 there is no snapshot
		}
		return h.store.Put(ctx, key, body, sums)
	}
	s.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		if key == manifest.LedgerKey(2) {
			s.get = nil
			if _, err := h.archive().Hold(ctx, archive.Selector{Sequence: 5}, ""); err != nil { // record 3
				t.Error(err)
			}
			h.prune(archive.PruneOptions{}) // deletes record 2
			h.store.Replace(key, b)
		}
		return h.store.Get(ctx, key, offset, length)
	}
	h.db.grow(50)
	res, err := archive.New(s, archive.Options{}).Backup(t.Context(), h.db.source(), options)
	if err != nil || res.Snapshot.Sequence == 4 || s.get != nil {
		t.Fatalf("%+v, %v", res.Snapshot, err)
	}
	h.prune(archive.PruneOptions{})
	h.sound(5)
}

// A hold that was suspended creates its record late, under the number of one that a prune has
// deleted. The store accepts it, and it counts for nothing: a host that reported the hold as made would
// lose the snapshot to the next prune. So the hold is planned again, by the record that counts.
func TestLateRecordIsWrittenAgain(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		h.keepLast(100)
		hold := func(a *archive.Archive, n int64) {
			if _, err := a.Hold(context.Background(), archive.Selector{Sequence: n}, "kept"); err != nil {
				t.Error(err)
			}
		}
		s := &weak{InMemory: h.store}
		s.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			s.put = nil
			hold(h.archive(), 2)
			before := len(h.store.Keys(manifest.LedgerPrefix))
			hold(h.archive(), 3)
			h.prune(archive.PruneOptions{})
			if left := h.store.Keys(manifest.LedgerPrefix); len(left) > before || slices.Contains(left, key) {
				t.Errorf("%q are there", left)
			}
			return h.store.Put(ctx, key, body, sums)
		}
		hold(archive.New(s, archive.Options{}), 1)
		h.keepLast(1)
		h.sound(1, 2, 3)
	})
}
