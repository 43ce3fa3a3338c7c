package archive_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// A mount is an address at which archives lie by turns, as where a disk is unmounted, or
// another one mounted, while something goes on.
type mount struct {
	now  *oracle
	all  []*oracle // the first is the one that the parties intend
	held bool      // stores keep to the place that they find, as store.Holder requires
}

// A holding is the place that one store of a mount keeps to.
type holding struct {
	mu    sync.Mutex
	users int
	at    *oracle
}

// begin implements store.Holder for a stage. Nothing is held through nil.
func (h *holding) begin() (release func()) {
	if h == nil {
		return func() {}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.users--; h.users == 0 {
			h.at = nil
		}
	})
}

// enter returns the archive that an operation works on.
func (h *holding) enter(o *oracle, m *mount) *oracle {
	if m == nil || o != m.all[0] {
		return o
	}
	if h == nil {
		return m.now
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.at
	if at == nil {
		at = m.now
	}
	if h.users > 0 {
		h.at = at
	}
	return at
}

// leave returns store.ErrGone where another archive lies at the address by now.
func (h *holding) leave(at *oracle, m *mount) error {
	if h == nil || m == nil || m.now == at || !slices.Contains(m.all, at) {
		return nil
	}
	return fmt.Errorf("%w: another disk is mounted", store.ErrGone)
}

// places returns the archives that a party may have met at o's address.
func (w *theatre) places(o *oracle) []*oracle {
	if w.address != nil && o == w.address.all[0] {
		return w.address.all
	}
	return []*oracle{o}
}

// remount unmounts the archive's disk in the middle, mounts it again, and returns the parties that
// work there. In its place is an empty directory, the disk of another database, or an older copy of
// the disk. Stores that hold their place notice each. Others notice another archive.json, and only
// at a commit: for them the archive disappears once, and comes back when all have ended.
func (w *theatre) remount(a *oracle, states []*source.Directory) []func(int) {
	for len(a.valid) == 0 {
		w.makeSnapshot(a, states)
	}
	m := &mount{now: a, held: w.rand.IntN(3) > 0}
	w.address = m
	m.all = []*oracle{a, newOracle(w, "the mount point", nil)}
	cast := []func(int){
		func(i int) { w.backups(a, states, i) }, func(i int) { w.backups(a, states, i) },
		func(i int) { w.restores(a, i) }, func(i int) { w.lists(a, i) }, func(i int) { w.verifies(a, i) },
	}
	if !m.held {
		w.damaged = true // what is read of two archives makes no sense
		w.unmounts(m, 1)
		return cast
	}
	other := newOracle(w, "another disk", nil)
	switch {
	case w.rand.IntN(2) == 0:
		w.makeSnapshot(other, []*source.Directory{newDatabase(w.t, w.t.TempDir(), 99).source()})
	default:
		w.hosts = nil    // for one that keeps local state, the older copy has lost snapshots
		w.damaged = true // and for one that has read a newer one
		other.become(a)
		w.makeSnapshot(a, states)
	}
	m.all = append(m.all, other)
	w.unmounts(m, 1+w.rand.IntN(4))
	return append(cast, func(i int) { w.prunes(a, i) }, func(i int) { w.prunes(a, i) }, func(i int) { w.holds(a, i) })
}

// become makes a copy of an archive as it is.
func (o *oracle) become(a *oracle) {
	o.store, o.ledger = a.store.Clone(), a.ledger
	o.valid, o.ever, o.names = maps.Clone(a.valid), maps.Clone(a.ever), maps.Clone(a.names)
}

// unmounts has one disk after the other mounted at an address.
func (w *theatre) unmounts(m *mount, times int) {
	order := make([]*oracle, times)
	for i := range order {
		order[i] = m.all[(slices.Index(m.all, m.now)+1+i+w.rand.IntN(2))%len(m.all)]
	}
	if !m.held {
		order[0] = m.all[1]
	}
	w.start("operator", func(_ context.Context, p *party) error {
		for _, next := range order {
			f := p.turn("mounts " + next.name)
			for ; f != crash && w.stopsCommit(m); f = p.turn("mounts " + next.name) {
				w.say("a commit goes first")
			}
			if f == crash { // from then on, turn does not wait
				return errCrashed
			}
			m.now = next
		}
		return nil
	})
}

// stopsCommit reports whether an object that counts is about to be created after archive.json was
// read again. Nothing but a held place protects that moment.
func (w *theatre) stopsCommit(m *mount) bool {
	counts := []string{manifest.ManifestsPrefix, manifest.LedgerPrefix, manifest.ArchiveKey}
	w.mu.Lock()
	defer w.mu.Unlock()
	return !m.held && slices.ContainsFunc(w.pending, func(r *request) bool {
		return !r.p.crashed && slices.ContainsFunc(counts, func(key string) bool {
			return strings.Contains(r.what, " put "+key)
		})
	})
}
