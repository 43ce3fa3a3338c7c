package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Snapshot is one line of a listing.
type Snapshot struct {
	manifest.Summary           // only Sequence is set when Err is
	Err              error     // why the manifest is unreadable; nil if it was read
	Modified         time.Time // when it was committed, by the provider's clock
	Held             string    // why it is held, so that no retention removes it; empty without a hold
}

// effective returns when the snapshot was made, for a selection by time. If the host's clock was ahead of the
// provider's by more than storecheck.MaxSkew, it is the provider's time (format.md, fine print).
func (s *Snapshot) effective() time.Time {
	if !s.Modified.IsZero() && s.Created.Sub(s.Modified) > storecheck.MaxSkew {
		return s.Modified
	}
	return s.Created
}

// List returns the valid snapshots of the archive in ascending order; with last > 0, only the last ones. It
// reads only the first 4 KiB of each manifest. So it does not notice a manifest that was replaced under a
// number in the ledger; operations that read the whole manifest do. An unreadable manifest is listed with
// its Err and does not hide the others. Returns ErrNoArchive if there is no archive, and ErrDamaged if there was a
// snapshot and there is none any more.
func (a *Archive) List(ctx context.Context, last int) ([]Snapshot, error) {
	defer a.hold()()
	var all []Snapshot
	err := inAnyOrder(func() error {
		all = nil
		return a.walk(ctx, last, func(s []Snapshot) bool {
			all = append(all, s...)
			return last <= 0 || len(all) < last
		})
	})
	if err != nil {
		return nil, err
	}
	if last > 0 && len(all) > last {
		all = all[:last]
	}
	if i := slices.IndexFunc(all, func(s Snapshot) bool { return s.Err == nil }); i >= 0 {
		a.rememberSeen(ctx, all[i].Archive, nil)
	}
	slices.Reverse(all)
	return all, nil
}

// walk reads summaries in batches, newest first, and calls more with each batch until it returns false. A
// positive want sets the size of the batches. The ledger is read after each batch, since a ledger that was
// read before a manifest proves nothing about that manifest.
//
// If something in the first batch looks forged, it begins again with archive.json, which names this archive.
func (a *Archive) walk(ctx context.Context, want int, more func([]Snapshot) bool) error {
	w := &walker{Archive: a, want: want, more: more}
	if least := 4 * a.transfers; want < least || want > onePage {
		w.size = least
	} else {
		w.size = want
	}
	err := w.run(ctx)
	if errors.Is(err, errSuspicious) {
		h, _, err := a.readHead(ctx)
		if err != nil {
			return err
		}
		w.h, w.isChecked = h, true
		err = w.run(ctx)
		a.logIgnored(h) // the walk may have read the ledger again, into another head
		return err
	}
	return err
}

// errSuspicious: the first batch of summaries has something that no writer of the archive creates.
var errSuspicious = errors.New("the archive has manifests or records that may be forged")

// walker is one call of walk.
type walker struct {
	*Archive
	want, size int
	more       func([]Snapshot) bool
	h          *head
	isChecked  bool   // the head has archive.json, and decides which manifests count
	id         string // of the archive, by its manifests
}

func (w *walker) run(ctx context.Context) error {
	each := w.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey)
	if w.want > 0 { // this finds the newest of a long history without listing its beginning
		each = w.newestNumbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey)
	}
	if w.isChecked {
		each = w.reach(ctx, w.h, each)
	}
	some := false
	var batch []numbered
	for f, err := range each {
		if err != nil {
			return err
		}
		if !w.isChecked && f.n > manifest.MaxCounted {
			return errSuspicious
		}
		if some = true; w.h != nil && !w.h.record.ValidNumber(f.n) {
			continue
		}
		if batch = append(batch, f); len(batch) == w.size {
			if goOn, err := w.flush(ctx, batch); err != nil || !goOn {
				return err
			}
			batch = batch[:0]
		}
	}
	if !some {
		return w.empty(ctx)
	}
	_, err := w.flush(ctx, batch)
	return err
}

// flush reads a batch and passes the valid ones on.
func (w *walker) flush(ctx context.Context, batch []numbered) (goOn bool, err error) {
	all, err := w.summaries(ctx, batch)
	if err != nil {
		return false, err
	}
	first := w.h == nil
	if first {
		w.h = &head{}
	}
	s := slices.Clone(all)
	if len(s) > 0 {
		if s, w.h, err = w.filterValid(ctx, s, w.h); err != nil {
			return false, err
		}
	}
	if first && w.isSuspicious(all) {
		return false, errSuspicious
	}
	if w.isChecked && w.h.id != nil {
		w.id = w.h.id.ID
	}
	markForeign(s, w.id)
	return w.more(s), nil
}

// isSuspicious reports whether the greatest manifests or the ledger need archive.json to be judged.
func (w *walker) isSuspicious(first []Snapshot) bool {
	if w.h.unread != nil || len(first) > 0 && first[0].Err != nil {
		return true
	}
	for i := range first {
		if first[i].Err == nil && first[i].Archive != first[0].Archive {
			return true
		}
	}
	if len(first) == 0 {
		return false
	}
	w.id = first[0].Archive
	return w.h.record != nil && w.h.record.Archive != w.id || !w.hasSupport(first)
}

// hasSupport reports whether the parent of the greatest manifest supports its number, and is among the first or not
// needed.
func (w *walker) hasSupport(first []Snapshot) bool {
	parent, isNear := w.h.supportOf(&first[0].Summary)
	return isNear && (parent <= w.h.anchor() ||
		slices.ContainsFunc(first, func(s Snapshot) bool { return s.Sequence == parent }))
}

// errForeignManifest: a manifest belongs to another archive.
var errForeignManifest = fmt.Errorf("it belongs to another archive (%w)", ErrDamaged)

// markForeign marks the manifests of another archive as unreadable.
func markForeign(all []Snapshot, id string) {
	for i := range all {
		if s := &all[i]; s.Err == nil && id != "" && s.Archive != id {
			err := fmt.Errorf("manifest %d: %w: %s", s.Sequence, errForeignManifest, s.Archive)
			*s = Snapshot{Summary: manifest.Summary{Sequence: s.Sequence}, Err: err, Modified: s.Modified}
		}
	}
}

// empty returns nil if there is an archive that has no snapshot yet, and otherwise the error to report.
func (a *Archive) empty(ctx context.Context) error {
	h, _, err := a.readHead(ctx)
	switch {
	case err != nil:
		return err
	case h.badID:
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(h.warnings, "; "))
	case !h.exists():
		return a.nothing(ctx)
	}
	return a.emptied(ctx, h, 0)
}

func (a *Archive) summaries(ctx context.Context, batch []numbered) ([]Snapshot, error) {
	found := make([]Snapshot, len(batch))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for i, f := range batch {
		g.Go(func() error {
			found[i] = Snapshot{Modified: f.object.Modified}
			s, err := a.summary(ctx, f)
			switch {
			case err == nil:
				found[i].Summary = *s
			case ctx.Err() != nil:
				return err
			default:
				found[i].Sequence, found[i].Err = f.n, err
			}
			return nil
		})
	}
	return found, g.Wait()
}

func (a *Archive) summary(ctx context.Context, f numbered) (*manifest.Summary, error) {
	if f.object.Size == 0 {
		return nil, fmt.Errorf("reading %s: it is empty: %w", f.object.Key, ErrDamaged)
	}
	var before []byte
	for attempt := 0; ; attempt++ {
		r, err := a.store.Get(ctx, f.object.Key, 0, min(f.object.Size, manifest.SummaryBytes))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.object.Key, err)
		}
		b, err := io.ReadAll(io.LimitReader(r, manifest.SummaryBytes))
		r.Close()
		var s *manifest.Summary
		if err == nil {
			if s, err = manifest.DecodeSummary(b, f.n); err == nil {
				return s, nil
			}
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if attempt == fetchAttempts-1 || ctx.Err() != nil || errors.Is(err, ErrDamaged) && before != nil && bytes.Equal(b, before) {
			return nil, fmt.Errorf("reading %s: %w", f.object.Key, err)
		}
		before = b
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}
