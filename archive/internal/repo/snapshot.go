package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Snapshot is a manifest as it was found, with all its entries or, for a backup that needs no others, with those of
// some pages.
type Snapshot struct {
	Ref      manifest.Ref
	Manifest *manifest.Manifest // Files has all entries that were read, even if pages hold them
	Pages    []manifest.Page    // the same entries by page, for cutting the next ones
}

// EachObject calls f for each part and page of a snapshot.
func EachObject(s *Snapshot, f func(key string, part *manifest.Part, page *manifest.PageRef)) {
	for i := range s.Manifest.Files {
		for k := range s.Manifest.Files[i].Parts {
			p := &s.Manifest.Files[i].Parts[k]
			f(p.Object, p, nil)
		}
	}
	for i := range s.Pages {
		f(s.Pages[i].Ref.Object, nil, &s.Pages[i].Ref)
	}
}

// Effective returns when the snapshot was made, for a selection by time. If the host's clock was ahead of the
// provider's by more than storecheck.MaxSkew, it is the provider's time (format.md, fine print).
func Effective(s *values.Snapshot) time.Time {
	if !s.Modified.IsZero() && s.Created.Sub(s.Modified) > storecheck.MaxSkew {
		return s.Modified
	}
	return s.Created
}

// ErrForeignManifest means that a manifest belongs to another archive.
var ErrForeignManifest = fmt.Errorf("it belongs to another archive (%w)", values.ErrDamaged)

func (a *Repo) Summary(ctx context.Context, f Numbered) (*manifest.Summary, error) {
	if f.Object.Size == 0 {
		return nil, fmt.Errorf("reading %s: it is empty: %w", f.Object.Key, values.ErrDamaged)
	}
	var before []byte
	for attempt := 0; ; attempt++ {
		r, err := a.Store.Get(ctx, f.Object.Key, 0, min(f.Object.Size, manifest.SummaryBytes))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Object.Key, err)
		}
		b, err := io.ReadAll(io.LimitReader(r, manifest.SummaryBytes))
		r.Close()
		var s *manifest.Summary
		if err == nil {
			if s, err = manifest.DecodeSummary(b, f.Number); err == nil {
				return s, nil
			}
			err = fmt.Errorf("%w: %w", values.ErrDamaged, err)
		}
		if attempt == objects.FetchAttempts-1 || ctx.Err() != nil || errors.Is(err, values.ErrDamaged) && before != nil && bytes.Equal(b, before) {
			return nil, fmt.Errorf("reading %s: %w", f.Object.Key, err)
		}
		before = b
		if err := objects.Pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

var ErrVoid = errors.New("the ledger keeps another manifest under this number")

// ReadSnapshot reads a manifest with all its pages. The reference is set once the manifest's bytes were read,
// even if they cannot be decoded; the error is then ErrDamaged.
func (a *Repo) ReadSnapshot(ctx context.Context, sequence int64, record *manifest.Record) (*Snapshot, manifest.Ref, error) {
	return a.ReadSnapshotOf(ctx, sequence, record, AllPages)
}

// ReadSnapshotOf is ReadSnapshot with those pages alone that an operation needs.
func (a *Repo) ReadSnapshotOf(
	ctx context.Context, sequence int64, record *manifest.Record, needed PageChoice,
) (*Snapshot, manifest.Ref, error) {
	var m *manifest.Manifest
	b, err := a.Get(ctx, manifest.ManifestKey(sequence), manifest.MaxManifestBytes, func(b []byte) (err error) {
		m, err = manifest.DecodeManifest(b, sequence)
		return err
	})
	sha := manifest.Sum(b)
	if errors.Is(err, objects.ErrTooLarge) {
		// The next manifest names this one as its parent even if it is damaged.
		var hashErr error
		if sha, hashErr = a.Hash(ctx, manifest.ManifestKey(sequence), manifest.MaxManifestBytes); hashErr != nil {
			return nil, manifest.Ref{}, hashErr
		}
	} else if b == nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (%w)", values.ErrDamaged, err)
		}
		return nil, manifest.Ref{}, err
	}
	ref := manifest.Ref{Sequence: sequence, SHA256: sha}
	if !record.Valid(sequence, ref.SHA256) {
		return nil, ref, fmt.Errorf("manifest %d: %w: %w", sequence, values.ErrDamaged, ErrVoid)
	}
	if err != nil {
		return nil, ref, fmt.Errorf("%s: %w: %w", manifest.ManifestKey(sequence), values.ErrDamaged, err)
	}
	chosen := needed(m)
	if s := a.cached(sequence); s != nil && s.Ref == ref && (s.Manifest.IsWhole() || len(chosen) == 0) {
		return s, ref, nil // the same bytes: its pages need not be read again
	}
	s := &Snapshot{Ref: ref, Manifest: m}
	switch {
	case m.Pages == nil:
	case len(chosen) == 0:
		s.Pages = UnreadPages(m)
	default:
		if s.Pages, err = a.fillFiles(ctx, m, chosen); err != nil {
			return nil, ref, err
		}
	}
	return s, ref, nil
}

// UnreadPages returns the pages of a manifest without their entries.
func UnreadPages(m *manifest.Manifest) []manifest.Page {
	pages := make([]manifest.Page, len(m.Pages))
	for i := range pages {
		pages[i].Ref = m.Pages[i]
	}
	return pages
}

// fillFiles reads the chosen pages of a manifest, and sets its Files to their entries.
func (a *Repo) fillFiles(ctx context.Context, m *manifest.Manifest, chosen []int) ([]manifest.Page, error) {
	pages, err := a.ReadPages(ctx, m, chosen)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	m.Files = JoinPages(pages)
	check := m.CheckSome
	if len(chosen) == len(m.Pages) {
		check = m.CheckFiles
	}
	if err := check(m.Files); err != nil {
		return nil, fmt.Errorf("snapshot %d: %w: %w", m.Sequence, values.ErrDamaged, err)
	}
	return pages, nil
}

func (a *Repo) cached(sequence int64) *Snapshot {
	if s := a.Known(); s != nil && s.Ref.Sequence == sequence {
		return s
	}
	return nil
}

// ErrNeedsWhole means that a backup needs all entries of its base.
var ErrNeedsWhole = errors.New("all pages of the newest snapshot are needed")

// KnownBad returns the objects of the base snapshot that verifies of the whole archive found missing or damaged. A
// backup stores the files in them again (format.md, fine print).
func (a *Repo) KnownBad(ctx context.Context, h *Head) (findings.KnownBad, error) {
	if !h.HasProofs || h.ArchiveID() == "" {
		return findings.KnownBad{}, nil
	}
	l, err := a.Findings.ReadDamageLog(ctx, h.ArchiveID())
	if err != nil || h.Base == nil {
		return findings.KnownBad{}, err
	}
	if bad, ok := a.Findings.SettledFor(l, h.Base.Ref); ok {
		return bad, nil
	}
	if !h.Base.Manifest.IsWhole() && (len(l.Named) > 0 || l.LatestBad.Any()) {
		return findings.KnownBad{}, ErrNeedsWhole
	}
	bad, err := a.Findings.Settle(ctx, l, h.Base.Manifest.Files, h.Base.Pages)
	if err != nil {
		return findings.KnownBad{}, err
	}
	a.Findings.KeepSettled(h.Base.Ref, bad)
	return bad, nil
}
