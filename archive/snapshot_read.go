package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
)

var errVoid = errors.New("the ledger keeps another manifest under this number")

// readSnapshot reads a manifest with all its pages. The reference is set once the manifest's bytes were read,
// even if they cannot be decoded; the error is then ErrDamaged.
func (a *Archive) readSnapshot(ctx context.Context, sequence int64, record *manifest.Record) (*snapshot, manifest.Ref, error) {
	return a.readSnapshotOf(ctx, sequence, record, allPages)
}

// readSnapshotOf is readSnapshot with those pages alone that an operation needs.
func (a *Archive) readSnapshotOf(
	ctx context.Context, sequence int64, record *manifest.Record, needed pageChoice,
) (*snapshot, manifest.Ref, error) {
	var m *manifest.Manifest
	b, err := a.get(ctx, manifest.ManifestKey(sequence), manifest.MaxManifestBytes, func(b []byte) (err error) {
		m, err = manifest.DecodeManifest(b, sequence)
		return err
	})
	sha := manifest.Sum(b)
	if errors.Is(err, errTooLarge) {
		// The next manifest names this one as its parent even if it is damaged.
		var hashErr error
		if sha, hashErr = a.hash(ctx, manifest.ManifestKey(sequence), manifest.MaxManifestBytes); hashErr != nil {
			return nil, manifest.Ref{}, hashErr
		}
	} else if b == nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (%w)", ErrDamaged, err)
		}
		return nil, manifest.Ref{}, err
	}
	ref := manifest.Ref{Sequence: sequence, SHA256: sha}
	if !record.Valid(sequence, ref.SHA256) {
		return nil, ref, fmt.Errorf("manifest %d: %w: %w", sequence, ErrDamaged, errVoid)
	}
	if err != nil {
		return nil, ref, fmt.Errorf("%s: %w: %w", manifest.ManifestKey(sequence), ErrDamaged, err)
	}
	chosen := needed(m)
	if s := a.cached(sequence); s != nil && s.ref == ref && (s.m.IsWhole() || len(chosen) == 0) {
		return s, ref, nil // the same bytes: its pages need not be read again
	}
	s := &snapshot{ref: ref, m: m}
	switch {
	case m.Pages == nil:
	case len(chosen) == 0:
		s.pages = unreadPages(m)
	default:
		if s.pages, err = a.fillFiles(ctx, m, chosen); err != nil {
			return nil, ref, err
		}
	}
	return s, ref, nil
}

// unreadPages returns the pages of a manifest without their entries.
func unreadPages(m *manifest.Manifest) []manifest.Page {
	pages := make([]manifest.Page, len(m.Pages))
	for i := range pages {
		pages[i].Ref = m.Pages[i]
	}
	return pages
}

// fillFiles reads the chosen pages of a manifest, and sets its Files to their entries.
func (a *Archive) fillFiles(ctx context.Context, m *manifest.Manifest, chosen []int) ([]manifest.Page, error) {
	pages, err := a.readPages(ctx, m, chosen)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	m.Files = joinPages(pages)
	check := m.CheckSome
	if len(chosen) == len(m.Pages) {
		check = m.CheckFiles
	}
	if err := check(m.Files); err != nil {
		return nil, fmt.Errorf("snapshot %d: %w: %w", m.Sequence, ErrDamaged, err)
	}
	return pages, nil
}

func (a *Archive) cached(sequence int64) *snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known != nil && a.known.ref.Sequence == sequence {
		return a.known
	}
	return nil
}

func (a *Archive) remember(s *snapshot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = s
}
