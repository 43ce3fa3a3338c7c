package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
)

const (
	// maxListed is the largest number of snapshots shown, the newest: each costs one request, once.
	maxListed = 1000
	// listAgain is the longest time a list is used: other hosts may make snapshots and prune, too.
	listAgain = 10 * time.Minute
	// maxRead is the number of manifests kept in memory.
	maxRead = 4
)

// maxLook is the time limit for one read from the provider.
const maxLook = 2 * time.Minute

// snapshotCache caches snapshots and manifests for the page and the API, whose clients need no token. At most one
// read from the provider is in progress. A caller waits no longer than its context allows; the read continues, and
// its result serves the next caller. It is safe for concurrent use.
type snapshotCache struct {
	looking chan struct{} // has an element while a read is in progress

	mu     sync.Mutex
	listed time.Time // the time of list; zero before the first
	list   []web.Snapshot
	read   []*manifest.Manifest // the manifests used last, newest use last
	made   []web.Snapshot       // since the last listing began
	gone   []int64              // pruned since the last listing began
}

func newSnapshotCache() *snapshotCache { return &snapshotCache{looking: make(chan struct{}, 1)} }

// look calls ask after any earlier call of look has ended, and waits for the result until ctx ends. The call of ask
// continues after ctx has ended. Otherwise a slow read would be started again and again; also, some requests cannot
// be cancelled.
func (p *snapshotCache) look(ctx context.Context, ask func(context.Context) error) error {
	select {
	case p.looking <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for an earlier read of the archive: %w", ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if e := recover(); e != nil { // as net/http does for a handler
				done <- fmt.Errorf("reading the archive: a bug: %v", e)
			}
			<-p.looking
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxLook)
		defer cancel()
		done <- ask(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("reading the archive: %w", ctx.Err())
	}
}

// add records a new snapshot.
func (p *snapshotCache) add(s *manifest.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made, summary(s))
	p.made = p.made[max(0, len(p.made)-maxListed):]
	if !p.listed.IsZero() {
		p.list = append(slices.Clone(p.list), summary(s))
		p.list = p.list[max(0, len(p.list)-maxListed):]
	}
}

// forget drops pruned snapshots.
func (p *snapshotCache) forget(removed []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = append(p.gone, removed...)
	p.drop(removed)
}

// drop removes pruned snapshots from memory, with p.mu held.
func (p *snapshotCache) drop(removed []int64) {
	gone := func(n int64) bool { return slices.Contains(removed, n) }
	p.list = slices.DeleteFunc(slices.Clone(p.list), func(s web.Snapshot) bool { return gone(s.Sequence) })
	p.read = slices.DeleteFunc(p.read, func(m *manifest.Manifest) bool { return gone(m.Sequence) })
}

// begin records that a listing begins: it may miss snapshots that are made or pruned from now on.
func (p *snapshotCache) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made, p.gone = nil, nil
}

// keep stores a listing, with the changes since it began.
func (p *snapshotCache) keep(list []web.Snapshot, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.made {
		if len(list) == 0 || list[len(list)-1].Sequence < s.Sequence {
			list = append(list, s)
		}
	}
	p.list, p.listed = list[max(0, len(list)-maxListed):], now
	p.drop(p.gone)
}

// cached returns the last listing, and whether it is recent enough.
func (p *snapshotCache) cached(now time.Time) ([]web.Snapshot, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list, !p.listed.IsZero() && now.Sub(p.listed) < listAgain && !now.Before(p.listed)
}

// snapshots returns the newest snapshots, oldest first. With an error, they are those of an earlier listing.
func (p *snapshotCache) snapshots(ctx context.Context, a *archive.Archive, now time.Time) ([]web.Snapshot, error) {
	if list, ok := p.cached(now); ok {
		return list, nil
	}
	err := p.look(ctx, func(ctx context.Context) error {
		if _, ok := p.cached(now); ok {
			return nil
		}
		p.begin()
		all, err := a.List(ctx, maxListed)
		if errors.Is(err, archive.ErrNoArchive) && !errors.Is(err, archive.ErrDamaged) {
			all, err = nil, nil
		}
		if err != nil {
			return err
		}
		list := make([]web.Snapshot, len(all))
		for i := range all {
			list[i] = listed(&all[i])
		}
		p.keep(list, now)
		return nil
	})
	list, _ := p.cached(now)
	return list, err
}

// looked returns a manifest from memory, or nil.
func (p *snapshotCache) looked(sequence int64) *manifest.Manifest {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.read, func(m *manifest.Manifest) bool { return m.Sequence == sequence })
	if i < 0 {
		return nil
	}
	m := p.read[i]
	p.read = append(slices.Delete(p.read, i, i+1), m)
	return m
}

// manifest returns a snapshot's manifest.
func (p *snapshotCache) manifest(ctx context.Context, a *archive.Archive, sequence int64) (*manifest.Manifest, error) {
	if m := p.looked(sequence); m != nil {
		return m, nil
	}
	found := make(chan *manifest.Manifest, 1)
	err := p.look(ctx, func(ctx context.Context) error {
		if m := p.looked(sequence); m != nil {
			found <- m
			return nil
		}
		m, err := a.Snapshot(ctx, archive.Selector{Sequence: sequence})
		if errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot) {
			return fmt.Errorf("snapshot %d: %w", sequence, web.ErrNotFound)
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.read = append(p.read, m)
		p.read = slices.Delete(p.read, 0, max(0, len(p.read)-maxRead))
		found <- m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return <-found, nil
}

// listed converts a snapshot of a listing.
func listed(s *archive.Snapshot) web.Snapshot {
	if s.Err != nil {
		return web.Snapshot{Sequence: s.Sequence, State: "unreadable", Error: s.Err.Error()}
	}
	out := summary(&s.Summary)
	out.Held = s.Held
	return out
}

func summary(s *manifest.Summary) web.Snapshot {
	out := web.Snapshot{
		Sequence: s.Sequence, Created: s.Created, Files: s.Counts.Files, Bytes: s.Counts.Bytes, StoredBytes: s.Counts.StoredBytes,
		Added: s.Counts.Added, AddedBytes: s.Counts.AddedBytes, Removed: s.Counts.Removed, Changed: s.Counts.Changed, Damaged: s.Counts.Damaged,
		Duration: time.Duration(s.DurationMS) * time.Millisecond, State: "ok",
	}
	if s.LeftOut != nil {
		out.LeftOut = s.LeftOut.Files
	}
	if s.ForkedFrom != nil {
		out.ForkedFrom = s.ForkedFrom.Sequence
	}
	if s.RewoundFrom != nil {
		out.RewoundFrom = s.RewoundFrom.Sequence
	}
	if out.Damaged > 0 {
		out.State = "damaged"
	}
	return out
}

// withFiles converts a snapshot and a range of its files: a snapshot may have 100,000 files, and no client is trusted.
func withFiles(m *manifest.Manifest, r web.Range) web.SnapshotFiles {
	begin, end := r.Of(len(m.Files))
	out := web.SnapshotFiles{
		Snapshot: summary(&m.Summary), Total: int64(len(m.Files)), List: make([]web.File, end-begin),
	}
	for i := range out.List {
		f := &m.Files[begin+i]
		state := string(f.State)
		if f.Damaged() {
			state = "damaged"
		}
		out.List[i] = web.File{Name: f.Name, Size: f.Size, Modified: f.Modified, SHA256: f.SHA256.String(), Snapshot: f.Snapshot, State: state}
	}
	return out
}

// difference compares two snapshots, with at most this number of names for each kind.
func difference(from, to *manifest.Manifest, names int) web.Diff {
	d := archive.Diff(from, to)
	out := web.Diff{From: from.Sequence, To: to.Sequence}
	for i := range d.Added {
		out.Added.Add(d.Added[i].Name, names)
	}
	for i := range d.Removed {
		out.Removed.Add(d.Removed[i].Name, names)
	}
	for i := range d.Changed {
		out.Changed.Add(d.Changed[i].After.Name, names)
	}
	return out
}
