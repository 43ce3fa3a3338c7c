package archive_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// tearing returns a store whose nth listing of manifests, from 0, leaves some numbers out,
// although it shows what do creates after them.
func tearing(s *storetest.InMemory, nth int, do func(), hidden ...int64) (bucket *weak, done func() bool) {
	w := &weak{InMemory: s}
	w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		if do == nil || !strings.HasPrefix(prefix, manifest.ManifestsPrefix) {
			return s.List(ctx, prefix, delimiter, after)
		}
		if nth--; nth >= 0 {
			return s.List(ctx, prefix, delimiter, after)
		}
		now := do
		do = nil
		return func(yield func(store.Object, error) bool) {
			now()
			for o, err := range s.List(ctx, prefix, delimiter, after) {
				n, _ := manifest.ParseManifestKey(o.Key)
				if !slices.Contains(hidden, n) && !yield(o, err) {
					return
				}
			}
		}
	}
	return w, func() bool { return do == nil }
}

// A listing may show the newest snapshot and omit several before it. A record that dropped them
// would be the end of them: the next prune would delete their objects.
func TestRecordDropsNothingThatAListingLeftOut(t *testing.T) {
	t.Parallel()
	for what, amend := range map[string]func(a *archive.Archive) error{
		"prune": func(a *archive.Archive) error {
			_, err := a.Prune(context.Background(), archive.PruneOptions{Retention: &retention.Policy{Last: 100}})
			return err
		},
		"hold": func(a *archive.Archive) error {
			_, err := a.Hold(context.Background(), archive.Selector{Sequence: 1}, "")
			return err
		},
	} {
		for nth := range 4 {
			h := newPruned(t, 3)
			s, torn := tearing(h.store, nth, func() { h.next(); h.next(); h.next() }, 4, 5)
			if err := amend(archive.New(s, archive.Options{})); err != nil {
				t.Errorf("%s, %d: %v", what, nth, err)
			}
			if torn() {
				h.sound(1, 2, 3, 4, 5, 6)
			}
		}
	}
}

// A copy appends in ascending order. A listing of its source may omit a held snapshot. If all
// between that one and the newest was pruned, nothing in the newest names it. Once the newest is
// copied, the target could never get the other.
func TestCopyListsAGapAgain(t *testing.T) {
	t.Parallel()
	for nth := range 8 {
		h := newPruned(t, 3)
		to := storetest.Memory(t)
		mustCopy(t, h.store, to)
		s, torn := tearing(h.store, nth, func() {
			h.next()
			if _, err := h.archive().Hold(context.Background(), archive.Selector{Sequence: 4}, ""); err != nil {
				t.Error(err)
			}
			h.next()
			h.next()
			h.keepLast(1)
		}, 4)
		mustCopy(t, s, to)
		mustCopy(t, h.store, to)
		if all := to.Keys(manifest.ManifestsPrefix); torn() && !slices.Contains(all, manifest.ManifestKey(4)) {
			t.Errorf("%d: the copy has %q", nth, all)
		}
	}
}
