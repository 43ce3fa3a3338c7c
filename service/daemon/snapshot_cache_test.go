package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
)

// A provider that hangs holds up a reader for no longer than the reader's own limit. Only one read
// at a time goes to the provider, and its late result is kept.
func TestLookAtWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, looks := newSnapshotCache(), 0
		hang := func(context.Context) error { // and does not listen to its context
			looks++
			time.Sleep(time.Hour)
			p.keep([]web.Snapshot{{Sequence: 1}}, time.Now())
			return nil
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			start := time.Now()
			if err := p.look(ctx, hang); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 6*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			cancel()
		}
		time.Sleep(2 * time.Hour)
		if list, _ := p.cached(time.Now()); looks != 1 || len(list) != 1 {
			t.Errorf("%d reads found %d snapshots", looks, len(list))
		}
		if err := p.look(t.Context(), func(context.Context) error { panic("no") }); err == nil {
			t.Error("a read that panics found something")
		}
		if err := p.look(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("after that: %v", err)
		}
	})
}

// A snapshot that is made or pruned during a read is neither missed nor shown again.
func TestLookBesideRuns(t *testing.T) {
	t.Parallel()
	p, now := newSnapshotCache(), time.Now()
	p.add(&manifest.Summary{Sequence: 1})
	p.begin()
	p.add(&manifest.Summary{Sequence: 3})
	p.add(&manifest.Summary{Sequence: 4})
	p.forget([]int64{1})
	p.keep([]web.Snapshot{{Sequence: 1}, {Sequence: 2}, {Sequence: 3}}, now)
	p.add(&manifest.Summary{Sequence: 5})
	p.forget([]int64{2})
	list, ok := p.cached(now)
	var have []int64
	for _, s := range list {
		have = append(have, s.Sequence)
	}
	if !ok || len(have) != 3 || have[0] != 3 || have[1] != 4 || have[2] != 5 {
		t.Errorf("%v %v", have, ok)
	}
}
