package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// head is what a look at the archive tells before anything is planned.
type head struct {
	id         *manifest.Archive // archive.json; nil when there is none (or none that can be read)
	rawID      []byte            // archive.json as it is stored
	record     *manifest.Record  // the ledger's newest; nil when there is no ledger
	ledger     manifest.RecordRef
	badID      bool          // there is an archive.json, and it cannot be read
	hasData    bool          // there are data objects, perhaps of an interrupted run
	idLost     bool          // there is none, and there are manifests or a ledger
	hasBundles bool          // there are bundles, perhaps of one
	hasPages   bool          // there are pages, perhaps of one
	hasProofs  bool          // there are proofs
	parent     *manifest.Ref // the newest valid manifest as found, readable or not
	base       *snapshot     // the newest valid one that can be read; nil: none
	greatest   int64         // the greatest sequence number seen anywhere
	warnings   []string
	anomalies  []Problem // what the local witness has to say, for good
}

func (h *head) warn(format string, args ...any) {
	h.warnings = append(h.warnings, fmt.Sprintf(format, args...))
}

// exists reports whether anything was ever archived here.
func (h *head) exists() bool { return h.id != nil || h.badID || h.greatest > 0 }

// archiveID is the archive's id: that of archive.json or, where that one is missing,
// that of the manifests.
func (h *head) archiveID() string {
	switch {
	case h.id != nil:
		return h.id.ID
	case h.base != nil:
		return h.base.m.Archive
	}
	return ""
}

// newest is the newest valid manifest as found; zero: there is none.
func (h *head) newest() manifest.Ref {
	if h.parent == nil {
		return manifest.Ref{}
	}
	return *h.parent
}

// canReuseBase reports whether a backup may keep what the base names: only if it aims at the
// number that follows the base's. Otherwise it may come after somebody whom it has not
// seen and who kept less, and a prune that knew that one took what this one kept.
func (h *head) canReuseBase() bool { return h.base != nil && h.base.ref.Sequence == h.greatest }

func (h *head) layout() string {
	switch {
	case h.id != nil:
		return h.id.Layout
	case h.base != nil:
		return h.base.m.Layout
	}
	return ""
}

// readHead reads what every operation needs first: whose archive it is and what the
// ledger says. One listing of the top tells which of the rest is worth a request.
func (a *Archive) readHead(ctx context.Context) (*head, bool, error) {
	var h head
	top := map[string]bool{}
	for o, err := range a.store.List(ctx, "", "/", "") {
		if err != nil {
			return nil, false, fmt.Errorf("listing the archive: %w", err)
		}
		top[o.Key] = true
	}
	h.hasData, h.hasBundles, h.hasPages = top[manifest.DataPrefix], top[manifest.BundlesPrefix], top[manifest.PagesPrefix]
	h.hasProofs = top[manifest.ProofsPrefix]
	others := top[manifest.ManifestsPrefix] || top[manifest.LedgerPrefix]
	if top[manifest.ArchiveKey] || others { // a listing may show what was created later, and not this
		err := a.readID(ctx, &h)
		h.idLost = others && errors.Is(err, fs.ErrNotExist)
		if err != nil && !h.idLost {
			return nil, false, err
		}
	}
	if top[manifest.LedgerPrefix] {
		if err := a.readLedgerThere(ctx, &h); err != nil {
			return nil, false, err
		}
	}
	if h.record != nil && h.id != nil && h.record.Archive != h.id.ID {
		if err := a.resolveArchiveID(ctx, &h); err != nil {
			return nil, false, err
		}
	}
	return &h, top[manifest.ManifestsPrefix], nil
}

// resolveArchiveID has the newest manifest that the ledger keeps say whose the archive is, where
// archive.json and the ledger say different things: one bit of archive.json must not cost the
// archive. If it is archive.json that is alone, it counts as one that cannot be read.
func (a *Archive) resolveArchiveID(ctx context.Context, h *head) error {
	ledger := manifest.LedgerKey(h.ledger.Number)
	for _, k := range slices.Backward(h.record.Kept) {
		var m *manifest.Manifest
		b, err := a.get(ctx, manifest.ManifestKey(k.Sequence), manifest.MaxManifestBytes, func(b []byte) (err error) {
			m, err = manifest.DecodeManifest(b, k.Sequence)
			return err
		})
		var bad *manifest.ParseError
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errTooLarge), errors.As(err, &bad), err == nil && manifest.Sum(b) != k.SHA256:
			continue
		case err != nil:
			return fmt.Errorf("finding out whose archive it is: %w", err)
		case m.Archive != h.record.Archive:
			return fmt.Errorf("%s is of another archive, %s: %w", ledger, h.record.Archive, ErrDamaged)
		}
		h.warn("%s says that this is archive %s, and the ledger and the manifests say %s; it counts as damaged", manifest.ArchiveKey, h.id.ID, m.Archive)
		h.id, h.rawID, h.badID = nil, nil, true
		a.mu.Lock()
		defer a.mu.Unlock()
		a.idSum = manifest.Hash{}
		return nil
	}
	return fmt.Errorf("%s says that this is archive %s, and %s says %s: %w", manifest.ArchiveKey, h.id.ID, ledger, h.record.Archive, ErrDamaged)
}

func (a *Archive) readID(ctx context.Context, h *head) error {
	var id *manifest.Archive
	b, err := a.get(ctx, manifest.ArchiveKey, manifest.SummaryBytes, func(b []byte) (err error) {
		id, err = manifest.DecodeArchive(b)
		return err
	})
	var bad *manifest.ParseError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &bad) && !errors.Is(err, manifest.ErrVersion):
		h.badID = true
		h.warn("%s cannot be read (%v); the manifests tell the archive's id", manifest.ArchiveKey, err)
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", manifest.ArchiveKey, err)
	}
	h.id, h.rawID = id, b
	a.rememberID(b)
	return nil
}

// rememberID keeps the hash of archive.json for the witness.
func (a *Archive) rememberID(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idSum = manifest.Sum(b)
}

// load reads all that a backup plans from: the newest valid manifest and, where that
// one cannot be read, the newest that can.
func (a *Archive) load(ctx context.Context) (*head, error) { return a.loadAs(ctx, false) }

// loadAs is load and, for an operation that goes by what it reads, makes that durable.
func (a *Archive) loadAs(ctx context.Context, durable bool) (*head, error) {
	h, err := a.loadSteady(ctx, durable)
	if err != nil {
		return nil, err
	}
	s := a.loadPin(h.archiveID())
	if s != nil && s.Newest.Sequence > h.newest().Sequence {
		// Another backup of this host may have been faster than the listing.
		if h, err = a.loadSteady(ctx, durable); err != nil {
			return nil, err
		}
	}
	a.checkPin(h, s)
	if was, err := a.state.atPlace(); err == nil && was != "" && h.archiveID() != "" && was != h.archiveID() {
		h.warn("another archive is at the address than when this host last read it: %s, and before it was %s; is the right disk mounted?",
			h.archiveID(), was)
	}
	a.rememberHead(ctx, h)
	return h, nil
}

// loadSteady begins again when a manifest goes between its listing and its reading.
func (a *Archive) loadSteady(ctx context.Context, durable bool) (h *head, err error) {
	err = a.retryWhilePruned(ctx, func() error {
		if h, err = a.loadOnce(ctx); err != nil || !durable {
			return err
		}
		return a.makeDurable(ctx, h.newest().Sequence, h.ledger.Number)
	})
	return h, err
}

func (a *Archive) loadOnce(ctx context.Context) (*head, error) {
	h, hasManifests, err := a.readHead(ctx)
	if err != nil {
		return nil, err
	}
	if hasManifests {
		if err := a.loadNewest(ctx, h); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (a *Archive) loadNewest(ctx context.Context, h *head) error {
	foreign := ""
	for f, err := range a.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey) {
		if err != nil {
			return err
		}
		h.greatest = max(h.greatest, f.n)
		if !h.record.ValidNumber(f.n) {
			continue // void: it was created after a prune had dropped its number
		}
		s, ref, err := a.readSnapshot(ctx, f.n, h.record)
		switch {
		case errors.Is(err, errVoid):
			h.warn("manifest %d is not the one that the ledger keeps under this number; it is passed over", f.n)
			continue
		case err == nil && h.id != nil && s.m.Archive != h.id.ID:
			h.warn("manifest %d belongs to another archive (%s); it is passed over when planning", f.n, s.m.Archive)
			foreign = s.m.Archive
		case err != nil && ref.Sequence == 0 && errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", errGone, err)
		case err != nil && (ref.Sequence == 0 || !errors.Is(err, ErrDamaged)):
			return err
		case err != nil:
			h.warn("snapshot %d cannot be read, planning goes on from an older one: %v", f.n, err)
		default:
			h.base = s
			a.remember(s) // its pages need not be read again the next time
		}
		if h.parent == nil {
			h.parent = &ref
		}
		if h.base != nil {
			h.checkSkew(f)
			return nil
		}
	}
	if foreign != "" {
		return fmt.Errorf("%s says that this is archive %s, and no manifest does: one says %s; put the right %s back or, if the manifests are right, delete this one, and a repair writes it again by them: %w",
			manifest.ArchiveKey, h.id.ID, foreign, manifest.ArchiveKey, ErrDamaged)
	}
	return nil
}

// checkSkew compares the clocks of the archiver and of the provider, both of which
// have put their time to the newest manifest.
func (h *head) checkSkew(f numbered) {
	m := h.base.m
	committed := m.Created.Add(time.Duration(m.DurationMS) * time.Millisecond)
	if f.object.Modified.IsZero() {
		return
	}
	if skew := committed.Sub(f.object.Modified); skew.Abs() > storecheck.MaxSkew {
		copied := ""
		if skew < 0 {
			copied = ", unless the archive was copied since"
		}
		h.warn("the clock of %s differed by %s from the provider's when snapshot %d was made%s", m.Node, skew.Round(time.Second), f.n, copied)
	}
}
