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
	// maxListed is how many snapshots, the newest, are shown: each costs a request, once.
	maxListed = 1000
	// listAgain is how old a list may be, as other hosts may make snapshots and prune too.
	listAgain = 10 * time.Minute
	// maxRead is how many manifests are kept that somebody looked at.
	maxRead = 4
)

// pages keeps what was read from an archive for people to look at, since nobody has to
// prove who they are before it is read. One look at a time goes to the provider. It is safe
// for concurrent use.
type pages struct {
	reading sync.Mutex // held while the provider is asked

	mu     sync.Mutex
	listed time.Time // zero: not yet
	list   []web.Snapshot
	read   []*manifest.Manifest // the last that were read, newest look last
}

// add notes a snapshot that was just made.
func (p *pages) add(s *manifest.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listed.IsZero() {
		return
	}
	p.list = append(slices.Clone(p.list), summary(s))
	p.list = p.list[max(0, len(p.list)-maxListed):]
}

// forget takes pruned snapshots out of what is kept.
func (p *pages) forget(removed []int64) {
	gone := func(n int64) bool { return slices.Contains(removed, n) }
	p.mu.Lock()
	p.list = slices.DeleteFunc(slices.Clone(p.list), func(s web.Snapshot) bool { return gone(s.Sequence) })
	p.mu.Unlock()
	p.reading.Lock()
	defer p.reading.Unlock()
	p.read = slices.DeleteFunc(p.read, func(m *manifest.Manifest) bool { return gone(m.Sequence) })
}

func (p *pages) cached(now time.Time) ([]web.Snapshot, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list, !p.listed.IsZero() && now.Sub(p.listed) < listAgain && !now.Before(p.listed)
}

// snapshots gives the newest snapshots, in order.
func (p *pages) snapshots(ctx context.Context, a *archive.Archive, now time.Time) ([]web.Snapshot, error) {
	if list, ok := p.cached(now); ok {
		return list, nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	if list, ok := p.cached(now); ok {
		return list, nil
	}
	all, err := a.List(ctx, maxListed)
	if errors.Is(err, archive.ErrNoArchive) {
		all, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]web.Snapshot, len(all))
	for i := range all {
		list[i] = listed(&all[i])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list, p.listed = list, now
	return list, nil
}

// manifest gives a snapshot's manifest.
func (p *pages) manifest(ctx context.Context, a *archive.Archive, sequence int64) (*manifest.Manifest, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	i := slices.IndexFunc(p.read, func(m *manifest.Manifest) bool { return m.Sequence == sequence })
	if i >= 0 {
		m := p.read[i]
		p.read = append(slices.Delete(p.read, i, i+1), m)
		return m, nil
	}
	m, err := a.Snapshot(ctx, archive.Selector{Sequence: sequence})
	if errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot) {
		return nil, fmt.Errorf("snapshot %d: %w", sequence, web.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	p.read = append(p.read, m)
	p.read = slices.Delete(p.read, 0, max(0, len(p.read)-maxRead))
	return m, nil
}

// listed is a line of a listing as it is shown.
func listed(s *archive.Snapshot) web.Snapshot {
	if s.Err != nil {
		return web.Snapshot{Sequence: s.Sequence, State: "unreadable", Error: s.Err.Error()}
	}
	return summary(&s.Summary)
}

func summary(s *manifest.Summary) web.Snapshot {
	out := web.Snapshot{
		Sequence: s.Sequence, Created: s.Created, Files: s.Counts.Files, Bytes: s.Counts.Bytes, StoredBytes: s.Counts.StoredBytes,
		Added: s.Counts.Added, AddedBytes: s.Counts.AddedBytes, Removed: s.Counts.Removed, Changed: s.Counts.Changed, Damaged: s.Counts.Damaged,
		Duration: time.Duration(s.DurationMS) * time.Millisecond, State: "ok",
	}
	if out.Damaged > 0 {
		out.State = "damaged"
	}
	return out
}

func withFiles(m *manifest.Manifest) web.SnapshotFiles {
	out := web.SnapshotFiles{Snapshot: summary(&m.Summary), List: make([]web.File, len(m.Files))}
	for i := range m.Files {
		f := &m.Files[i]
		state := string(f.State)
		if f.Damaged() {
			state = "damaged"
		}
		out.List[i] = web.File{Name: f.Name, Size: f.Size, Modified: f.Modified, SHA256: f.SHA256.String(), Snapshot: f.Snapshot, State: state}
	}
	return out
}

func difference(from, to *manifest.Manifest) web.Diff {
	d := archive.Diff(from, to)
	out := web.Diff{From: from.Sequence, To: to.Sequence}
	for i := range d.Added {
		out.Added = append(out.Added, d.Added[i].Name)
	}
	for i := range d.Removed {
		out.Removed = append(out.Removed, d.Removed[i].Name)
	}
	for i := range d.Changed {
		out.Changed = append(out.Changed, d.Changed[i].After.Name)
	}
	return out
}
