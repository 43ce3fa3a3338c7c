package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// hasNews reports whether a snapshot holds content that was stored for it. Its entries show that or, if these are in
// pages, the number of a page does; the count alone is only a claim.
func hasNews(m *manifest.Manifest) bool {
	if m.Counts.Added == 0 {
		return false
	}
	ownPage := func(p manifest.PageRef) bool {
		k, ok := manifest.ParseObjectKey(p.Object)
		return ok && k.Sequence == m.Sequence
	}
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Snapshot == m.Sequence }) ||
		slices.ContainsFunc(m.Pages, ownPage)
}

// LedgerView is the state of the archive from which a ledger record is planned.
type LedgerView struct {
	*Head
	Valid []SnapshotEntry // in ascending order
}

// NewestValid returns the greatest valid sequence number; zero if there is none.
func (s *LedgerView) NewestValid() int64 {
	if len(s.Valid) == 0 {
		return 0
	}
	return s.Valid[len(s.Valid)-1].Kept.Sequence
}

// newestListed returns the greatest valid sequence number whose manifest was listed; zero if there is none.
func (s *LedgerView) newestListed() int64 {
	for i := range s.Valid {
		if m := &s.Valid[len(s.Valid)-1-i]; m.Object.Key != "" {
			return m.Kept.Sequence
		}
	}
	return 0
}

// Find returns the valid snapshot with this number, or nil.
func (s *LedgerView) Find(sequence int64) *SnapshotEntry {
	i, found := slices.BinarySearchFunc(s.Valid, sequence, func(m SnapshotEntry, n int64) int { return cmp.Compare(m.Kept.Sequence, n) })
	if !found {
		return nil
	}
	return &s.Valid[i]
}

// Insert adds a snapshot that the ledger keeps and whose manifest is missing.
func (s *LedgerView) Insert(k manifest.Kept) {
	i, _ := slices.BinarySearchFunc(s.Valid, k.Sequence, func(m SnapshotEntry, n int64) int { return cmp.Compare(m.Kept.Sequence, n) })
	s.Valid = slices.Insert(s.Valid, i, SnapshotEntry{Kept: k})
}

// SnapshotEntry is a valid snapshot.
type SnapshotEntry struct {
	Kept           manifest.Kept
	Object         store.Object      // as listed; without a key if only the ledger names the snapshot
	Summary        *manifest.Summary // nil if it was not read, is unreadable or contradicts a claim
	AsRead         *manifest.Summary // the same, but set also if it contradicts a claim
	HasTail        bool              // it contains the file that was still being written
	HasNews        bool              // it contains content that was stored for it
	Err            error             // why it is unreadable
	IsInLedger     bool              // the ledger has its hash
	IsUnverifiable bool              // it is unreadable, and no source states its correct hash
}

// ReadLedgerView reads the ledger, lists the manifests, and reads those whose hash is not in the ledger; with
// all, it reads the others as well. Listings are not atomic: one may include a later object and miss an
// earlier one. So it lists twice and ignores numbers above the first listing's greatest.
func (a *Repo) ReadLedgerView(ctx context.Context, how RecordOptions) (*LedgerView, error) {
	h, hasManifests, err := a.ReadHead(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case h.Unread != nil:
		return nil, h.Unread.refusal()
	case !h.Exists() && !hasManifests && !how.Empty:
		return nil, a.Nothing(ctx)
	case !hasManifests && h.Record == nil && !how.Empty:
		return nil, a.NoSnapshot(ctx, h)
	case h.Record != nil && h.Record.Unknown:
		return nil, fmt.Errorf("%s was written by a newer strongroom and has fields that this version would lose; "+
			"use the newer version", manifest.LedgerKey(h.Ledger.Number))
	}
	newest, err := a.GreatestManifest(ctx, h)
	if err != nil {
		return nil, err
	}
	s := &LedgerView{Head: h}
	listed := map[int64]bool{}
	for f, err := range a.Manifests(ctx, h) {
		if err != nil {
			return nil, err
		}
		if f.Number > newest || !h.Record.ValidNumber(f.Number) {
			continue
		}
		listed[f.Number] = true
		m := SnapshotEntry{Kept: manifest.Kept{Ref: manifest.Ref{Sequence: f.Number}}, Object: f.Object}
		s.Valid = append(s.Valid, m)
	}
	if h.Record != nil {
		for _, k := range h.Record.Kept {
			if !listed[k.Sequence] {
				s.Valid = append(s.Valid, SnapshotEntry{Kept: k})
			}
		}
	}
	if h.IDLost && len(s.Valid) > 0 && !how.NoID {
		return nil, values.ErrLostID
	}
	if len(s.Valid) == 0 && !how.Empty {
		a.LogIgnored(h)
		return nil, a.NoSnapshot(ctx, h)
	}
	slices.SortFunc(s.Valid, func(a, b SnapshotEntry) int { return int(a.Kept.Sequence - b.Kept.Sequence) })
	if err := a.ReadMembers(ctx, s, how.All); err != nil {
		return nil, err
	}
	if how.Repaired != nil {
		if m := s.Find(how.Repaired.Sequence); m != nil && !m.IsInLedger {
			m.AsRead = how.Repaired
		}
	}
	if err := a.MakeDurable(ctx, s.newestListed(), h.Ledger.Number); err != nil {
		return nil, err
	}
	s.rememberNewest(ctx, a)
	return s, a.addMissing(ctx, s)
}

// rememberNewest saves the archive and its newest manifest in the local state.
func (s *LedgerView) rememberNewest(ctx context.Context, a *Repo) {
	if s.ID == nil || len(s.Valid) == 0 {
		return
	}
	var newest *manifest.Ref
	if m := s.Valid[len(s.Valid)-1]; m.Err == nil && !m.Kept.SHA256.IsZero() {
		newest = &m.Kept.Ref
	}
	a.RememberSeen(ctx, s.ID.ID, newest)
}

func (a *Repo) ReadMembers(ctx context.Context, s *LedgerView, all bool) error {
	known := map[int64]manifest.Kept{}
	if s.Record != nil {
		for _, k := range s.Record.Kept {
			known[k.Sequence] = k
		}
	}
	var unread []*SnapshotEntry
	for i := range s.Valid {
		m := &s.Valid[i]
		k, kept := known[m.Kept.Sequence]
		if kept {
			m.Kept, m.IsInLedger = k, true
		}
		if !kept || all || s.ArchiveID() == "" {
			unread = append(unread, m)
		}
	}
	err := objects.EachAtOnce(ctx, a.Transfers, unread, func(ctx context.Context, m *SnapshotEntry) error {
		return a.readMember(ctx, s, m)
	})
	if err != nil {
		return err
	}
	return a.crossCheckHashes(s)
}

// readMember reads a manifest for its hash, unless the ledger has the hash already, and for the fields that
// retention needs.
func (a *Repo) readMember(ctx context.Context, s *LedgerView, m *SnapshotEntry) error {
	n := m.Kept.Sequence
	decoded, sum, err := a.ReadManifest(ctx, n)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		now, nowErr := a.RereadLedger(ctx)
		if nowErr != nil {
			return nowErr
		}
		if !m.IsInLedger || now.Ledger != s.Ledger {
			return fmt.Errorf("manifest %d: %w", n, objects.ErrGone)
		}
		m.Err = fmt.Errorf("%s is missing: %w", manifest.ManifestKey(n), values.ErrDamaged)
		return nil
	case err != nil && sum.IsZero():
		return err
	case !m.IsInLedger:
		m.Kept.SHA256 = sum
	case m.Kept.SHA256 != sum:
		m.Err = fmt.Errorf("manifest %d: %w: %w", n, values.ErrDamaged, ErrVoid)
		return nil
	}
	if err == nil && s.ID != nil && decoded.Archive != s.ID.ID {
		err = fmt.Errorf("manifest %d belongs to another archive, %s: %w", n, decoded.Archive, values.ErrDamaged)
	}
	if m.Err = err; err != nil {
		return nil
	}
	summary := decoded.Summary // a pointer into the manifest would keep all its entries in memory
	m.Summary, m.AsRead = &summary, &summary
	m.HasNews = hasNews(decoded)
	m.HasTail, m.Err = a.hasTail(ctx, decoded)
	var page *BadObject
	if m.Err != nil && !errors.As(m.Err, &page) {
		return m.Err
	}
	return nil
}

// ReadManifest reads a manifest without its pages. The hash is set once the bytes were read, even if they
// cannot be decoded; the error is then ErrDamaged.
func (a *Repo) ReadManifest(ctx context.Context, n int64) (*manifest.Manifest, manifest.Hash, error) {
	var m *manifest.Manifest
	key := manifest.ManifestKey(n)
	b, err := a.Get(ctx, key, manifest.MaxManifestBytes, func(b []byte) (err error) {
		m, err = manifest.DecodeManifest(b, n)
		return err
	})
	switch {
	case errors.Is(err, objects.ErrTooLarge):
		sum, hashErr := a.Hash(ctx, key, manifest.MaxManifestBytes)
		return nil, sum, errors.Join(err, hashErr)
	case b == nil:
		return nil, manifest.Hash{}, err
	case err != nil:
		return nil, manifest.Sum(b), fmt.Errorf("%s: %w: %w", key, values.ErrDamaged, err)
	}
	return m, manifest.Sum(b), nil
}

// hasTail reports whether a snapshot contains the file that was still being written. A tail is always the
// snapshot's last file.
func (a *Repo) hasTail(ctx context.Context, m *manifest.Manifest) (bool, error) {
	files := m.Files
	if m.ConsistentThrough == nil {
		return false, nil
	}
	for i := range m.Pages {
		p := &m.Pages[i]
		if last := m.ConsistentThrough.Name; p.First <= last && last <= p.Last {
			var err error
			if files, err = a.ReadPage(ctx, p, m.Sequence); err != nil {
				return false, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
			}
		}
	}
	f := scan.Entry(files, m.ConsistentThrough.Name)
	return f != nil && f.State == manifest.Tail, nil
}
