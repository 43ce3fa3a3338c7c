package archive_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A hold that reports success keeps its snapshot from every later prune. A slow hold can create its record after prunes
// have used the number and deleted it again, and the listing that follows can miss the record in force: it was created
// behind the place that the listing had reached, and its predecessor was deleted before it. Such a hold has failed.
func TestHoldOnAPrunedSnapshotDoesNotSucceed(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 2}, "the first record"); err != nil {
		t.Fatal(err)
	}
	first, second, third, fourth := manifest.LedgerKey(1), manifest.LedgerKey(2), manifest.LedgerKey(3), manifest.LedgerKey(4)
	slow := &weak{InMemory: h.store}
	var inForce []byte
	slow.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if key != second {
			return h.store.Put(ctx, key, body, sums)
		}
		slow.put = nil
		if _, err := h.archive().Release(ctx, archive.Selector{Sequence: 2}); err != nil {
			t.Error(err)
		}
		h.keepLast(1)
		before := h.store.Snapshot().Bytes(third)
		if _, err := h.archive().Hold(ctx, archive.Selector{}, "the newest"); err != nil {
			t.Error(err)
		}
		inForce = h.store.Snapshot().Bytes(fourth)
		h.store.Remove(fourth) // it is created during the listing that follows
		h.store.Replace(third, before)
		for _, key := range []string{first, second} {
			h.store.Remove(key)
		}
		slow.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
			slow.list = nil
			if prefix != manifest.LedgerPrefix {
				t.Errorf("it lists %q after it created the record", prefix)
			}
			h.store.Replace(fourth, inForce)
			h.store.Remove(third)
			o, err := h.store.Stat(ctx, second)
			return func(yield func(store.Object, error) bool) { yield(o, err) }
		}
		return h.store.Put(ctx, key, body, sums)
	}
	n, err := archive.New(slow, archive.Options{}).Hold(t.Context(), archive.Selector{Sequence: 1}, "an audit")
	if !errors.Is(err, archive.ErrNoSnapshot) {
		t.Errorf("it reports a hold on snapshot %d, which was pruned: %v", n, err)
	}
	if inForce == nil || slow.list != nil {
		t.Error("no other writer was first")
	}
}
