package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ledgerView is the state of the archive from which a ledger record is planned.
type ledgerView struct {
	*head
	valid []snapshotEntry // in ascending order
}

// newestValid returns the greatest valid sequence number; zero if there is none.
func (s *ledgerView) newestValid() int64 {
	if len(s.valid) == 0 {
		return 0
	}
	return s.valid[len(s.valid)-1].kept.Sequence
}

// newestListed returns the greatest valid sequence number whose manifest was listed; zero if there is none.
func (s *ledgerView) newestListed() int64 {
	for i := range s.valid {
		if m := &s.valid[len(s.valid)-1-i]; m.object.Key != "" {
			return m.kept.Sequence
		}
	}
	return 0
}

// find returns the valid snapshot with this number, or nil.
func (s *ledgerView) find(sequence int64) *snapshotEntry {
	i, found := slices.BinarySearchFunc(s.valid, sequence, func(m snapshotEntry, n int64) int { return cmp.Compare(m.kept.Sequence, n) })
	if !found {
		return nil
	}
	return &s.valid[i]
}

// insert adds a snapshot that the ledger keeps and whose manifest is missing.
func (s *ledgerView) insert(k manifest.Kept) {
	i, _ := slices.BinarySearchFunc(s.valid, k.Sequence, func(m snapshotEntry, n int64) int { return cmp.Compare(m.kept.Sequence, n) })
	s.valid = slices.Insert(s.valid, i, snapshotEntry{kept: k})
}

// snapshotEntry is a valid snapshot.
type snapshotEntry struct {
	kept           manifest.Kept
	object         store.Object      // as listed; without a key if only the ledger names the snapshot
	m              *manifest.Summary // nil if it was not read, is unreadable or contradicts a claim
	asRead         *manifest.Summary // the same, but set also if it contradicts a claim
	hasTail        bool              // it contains the file that was still being written
	hasNews        bool              // it contains content that was stored for it
	err            error             // why it is unreadable
	isInLedger     bool              // the ledger has its hash
	isUnverifiable bool              // it is unreadable, and no source states its correct hash
}

// readLedgerView reads the ledger, lists the manifests, and reads those whose hash is not in the ledger; with
// all, it reads the others as well. Listings are not atomic: one may include a later object and miss an
// earlier one. So it lists twice and ignores numbers above the first listing's greatest.
func (a *Archive) readLedgerView(ctx context.Context, how recordOptions) (*ledgerView, error) {
	h, hasManifests, err := a.readHead(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case h.unread != nil:
		return nil, h.unread.refusal()
	case !h.exists() && !hasManifests && !how.empty:
		return nil, a.nothing(ctx)
	case !hasManifests && h.record == nil && !how.empty:
		return nil, a.noSnapshot(ctx, h)
	case h.record != nil && h.record.Unknown:
		return nil, fmt.Errorf("%s was written by a newer strongroom and has fields that this version would lose; "+
			"use the newer version", manifest.LedgerKey(h.ledger.Number))
	}
	newest, err := a.greatestManifest(ctx, h)
	if err != nil {
		return nil, err
	}
	s := &ledgerView{head: h}
	listed := map[int64]bool{}
	for f, err := range a.manifests(ctx, h) {
		if err != nil {
			return nil, err
		}
		if f.n > newest || !h.record.ValidNumber(f.n) {
			continue
		}
		listed[f.n] = true
		m := snapshotEntry{kept: manifest.Kept{Ref: manifest.Ref{Sequence: f.n}}, object: f.object}
		s.valid = append(s.valid, m)
	}
	if h.record != nil {
		for _, k := range h.record.Kept {
			if !listed[k.Sequence] {
				s.valid = append(s.valid, snapshotEntry{kept: k})
			}
		}
	}
	if h.idLost && len(s.valid) > 0 && !how.noID {
		return nil, ErrLostID
	}
	if len(s.valid) == 0 && !how.empty {
		a.logIgnored(h)
		return nil, a.noSnapshot(ctx, h)
	}
	slices.SortFunc(s.valid, func(a, b snapshotEntry) int { return int(a.kept.Sequence - b.kept.Sequence) })
	if err := a.readMembers(ctx, s, how.all); err != nil {
		return nil, err
	}
	if how.repaired != nil {
		if m := s.find(how.repaired.Sequence); m != nil && !m.isInLedger {
			m.asRead = how.repaired
		}
	}
	if err := a.makeDurable(ctx, s.newestListed(), h.ledger.Number); err != nil {
		return nil, err
	}
	s.rememberNewest(ctx, a)
	return s, a.addMissing(ctx, s)
}

// rememberNewest saves the archive and its newest manifest in the local state.
func (s *ledgerView) rememberNewest(ctx context.Context, a *Archive) {
	if s.id == nil || len(s.valid) == 0 {
		return
	}
	var newest *manifest.Ref
	if m := s.valid[len(s.valid)-1]; m.err == nil && !m.kept.SHA256.IsZero() {
		newest = &m.kept.Ref
	}
	a.rememberSeen(ctx, s.id.ID, newest)
}

func (a *Archive) readMembers(ctx context.Context, s *ledgerView, all bool) error {
	known := map[int64]manifest.Kept{}
	if s.record != nil {
		for _, k := range s.record.Kept {
			known[k.Sequence] = k
		}
	}
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for i := range s.valid {
		m := &s.valid[i]
		k, kept := known[m.kept.Sequence]
		if kept {
			m.kept, m.isInLedger = k, true
		}
		if running.Err() != nil {
			break
		}
		if !kept || all || s.archiveID() == "" {
			g.Go(func() error { return a.readMember(running, s, m) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil { // the loop may have ended early
		return err
	}
	return a.crossCheckHashes(s)
}

// readMember reads a manifest for its hash, unless the ledger has the hash already, and for the fields that
// retention needs.
func (a *Archive) readMember(ctx context.Context, s *ledgerView, m *snapshotEntry) error {
	n := m.kept.Sequence
	decoded, sum, err := a.readManifest(ctx, n)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		now, nowErr := a.rereadLedger(ctx)
		if nowErr != nil {
			return nowErr
		}
		if !m.isInLedger || now.ledger != s.ledger {
			return fmt.Errorf("manifest %d: %w", n, errGone)
		}
		m.err = fmt.Errorf("%s is missing: %w", manifest.ManifestKey(n), ErrDamaged)
		return nil
	case err != nil && sum.IsZero():
		return err
	case !m.isInLedger:
		m.kept.SHA256 = sum
	case m.kept.SHA256 != sum:
		m.err = fmt.Errorf("manifest %d: %w: %w", n, ErrDamaged, errVoid)
		return nil
	}
	if err == nil && s.id != nil && decoded.Archive != s.id.ID {
		err = fmt.Errorf("manifest %d belongs to another archive, %s: %w", n, decoded.Archive, ErrDamaged)
	}
	if m.err = err; err != nil {
		return nil
	}
	summary := decoded.Summary // a pointer into the manifest would keep all its entries in memory
	m.m, m.asRead = &summary, &summary
	m.hasNews = hasNews(decoded)
	m.hasTail, m.err = a.hasTail(ctx, decoded)
	var page *badObject
	if m.err != nil && !errors.As(m.err, &page) {
		return m.err
	}
	return nil
}

// readManifest reads a manifest without its pages. The hash is set once the bytes were read, even if they
// cannot be decoded; the error is then ErrDamaged.
func (a *Archive) readManifest(ctx context.Context, n int64) (*manifest.Manifest, manifest.Hash, error) {
	var m *manifest.Manifest
	key := manifest.ManifestKey(n)
	b, err := a.get(ctx, key, manifest.MaxManifestBytes, func(b []byte) (err error) {
		m, err = manifest.DecodeManifest(b, n)
		return err
	})
	switch {
	case errors.Is(err, errTooLarge):
		sum, hashErr := a.hash(ctx, key, manifest.MaxManifestBytes)
		return nil, sum, errors.Join(err, hashErr)
	case b == nil:
		return nil, manifest.Hash{}, err
	case err != nil:
		return nil, manifest.Sum(b), fmt.Errorf("%s: %w: %w", key, ErrDamaged, err)
	}
	return m, manifest.Sum(b), nil
}

// hasTail reports whether a snapshot contains the file that was still being written. A tail is always the
// snapshot's last file.
func (a *Archive) hasTail(ctx context.Context, m *manifest.Manifest) (bool, error) {
	files := m.Files
	if m.ConsistentThrough == nil {
		return false, nil
	}
	for i := range m.Pages {
		p := &m.Pages[i]
		if last := m.ConsistentThrough.Name; p.First <= last && last <= p.Last {
			var err error
			if files, err = a.readPage(ctx, p, m.Sequence); err != nil {
				return false, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
			}
		}
	}
	f := entry(files, m.ConsistentThrough.Name)
	return f != nil && f.State == manifest.Tail, nil
}
