package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// head is the archive's state as read before planning.
type head struct {
	id         *manifest.Archive // archive.json; nil if it is missing or cannot be read
	rawID      []byte            // archive.json as it is stored
	record     *manifest.Record  // the ledger's record in force; nil if there is none
	ledger     manifest.RecordRef
	records    []int64       // the numbers of the listed records, from the greatest down to the one in force
	unread     *unreadRecord // the next record, if it exists and cannot be read
	ignored    []string      // keys of manifests and records that count for nothing
	badID      bool          // archive.json exists, and cannot be read
	hasData    bool          // there are data objects, perhaps of an interrupted run
	idLost     bool          // archive.json is missing beside manifests or a ledger
	begins     bool          // what is beside the missing archive.json is no archive's, so one may begin
	newer      string        // key of a manifest of a later version; empty if none was found
	hasBundles bool          // there are bundles, perhaps of an interrupted run
	hasPages   bool          // there are pages, perhaps of an interrupted run
	hasProofs  bool          // there are verification records
	parent     *manifest.Ref // the newest valid manifest as found, readable or not
	base       *snapshot     // the newest valid manifest that can be read; nil if none can
	greatest   int64         // the greatest sequence number seen anywhere
	passed     int64         // a greater number that a backup passes over, as its manifest cannot be created; 0 if none
	warnings   []string
	anomalies  []Problem // contradictions to the local state, which stay until they are repaired
}

func (h *head) warn(format string, args ...any) {
	h.warnings = append(h.warnings, fmt.Sprintf(format, args...))
}

// exists reports whether anything was ever archived here.
func (h *head) exists() bool { return h.id != nil || h.badID || h.greatest > 0 }

// isNew reports whether the next backup begins the archive.
func (h *head) isNew() bool { return !h.exists() || h.isFresh() || h.begins }

// isFresh reports whether the archive has no more than an archive.json that cannot be read. Anything under that key
// must not keep a first snapshot from being made: the snapshot's manifest has the id.
func (h *head) isFresh() bool {
	return h.badID && h.greatest == 0 && h.record == nil && h.unread == nil
}

// checkUnknownID returns an error if the archive's id is lost, so that no backup can continue the archive.
func (h *head) checkUnknownID() error {
	if h.archiveID() != "" || h.isFresh() || !h.badID && (h.greatest == 0 || h.begins) {
		return nil
	}
	return fmt.Errorf("%s is missing or cannot be read, and no manifest can be read, so the archive's id is unknown; "+
		"start a new archive: %w", manifest.ArchiveKey, ErrDamaged)
}

// archiveID returns the archive's id from archive.json or, if that is missing, from the newest readable manifest. It is
// empty if neither has one.
func (h *head) archiveID() string {
	switch {
	case h.id != nil:
		return h.id.ID
	case h.base != nil:
		return h.base.m.Archive
	}
	return ""
}

// newest returns the newest valid manifest as found; zero if there is none.
func (h *head) newest() manifest.Ref {
	if h.parent == nil {
		return manifest.Ref{}
	}
	return *h.parent
}

// canReuseBase reports whether the numbers allow a backup to reference the base's objects. They do only if its number
// is the base's plus one. Otherwise an unseen snapshot may lie between them, and a prune planned from that snapshot may already have
// deleted those objects.
func (h *head) canReuseBase() bool {
	return h.base != nil && h.base.ref.Sequence == max(h.greatest, h.passed)
}

func (h *head) layout() string {
	switch {
	case h.id != nil:
		return h.id.Layout
	case h.base != nil:
		return h.base.m.Layout
	}
	return ""
}

// readHead reads what every operation needs first: the archive's id and the ledger's newest record. One listing of the
// top level shows which other requests are needed. The bool reports whether there are manifests.
func (a *Archive) readHead(ctx context.Context) (*head, bool, error) {
	var h head
	top := map[string]bool{}
	for o, err := range a.store.List(ctx, "", "/", "") {
		if err != nil {
			return nil, false, fmt.Errorf("opening the archive: %w", err)
		}
		top[o.Key] = true
	}
	h.hasData, h.hasBundles, h.hasPages = top[manifest.DataPrefix], top[manifest.BundlesPrefix], top[manifest.PagesPrefix]
	h.hasProofs = top[manifest.ProofsPrefix]
	others := top[manifest.ManifestsPrefix] || top[manifest.LedgerPrefix]
	if top[manifest.ArchiveKey] || others { // a listing may show later objects and miss archive.json
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
	a.mu.Lock()
	a.headID = h.id
	a.mu.Unlock()
	return &h, top[manifest.ManifestsPrefix], nil
}

// mostAsked is how many manifests are read to find out which archive a ledger belongs to.
const mostAsked = 20

// resolveArchiveID decides by the newest readable manifest in the ledger when archive.json and the ledger name
// different archives. One flipped bit in archive.json must not make the archive unusable. If only archive.json differs,
// it counts as unreadable.
func (a *Archive) resolveArchiveID(ctx context.Context, h *head) error {
	ledger := manifest.LedgerKey(h.ledger.Number)
	for _, k := range slices.Backward(h.record.Kept[max(0, len(h.record.Kept)-mostAsked):]) {
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
			return fmt.Errorf("determining the archive's id: %w", err)
		case m.Archive != h.record.Archive:
			return fmt.Errorf("%s belongs to another archive, %s: %w", ledger, h.record.Archive, ErrDamaged)
		}
		h.warn("%s names archive %s, and the ledger and the manifests name %s; it counts as damaged",
			manifest.ArchiveKey, h.id.ID, m.Archive)
		h.id, h.rawID, h.badID = nil, nil, true
		a.mu.Lock()
		defer a.mu.Unlock()
		a.idSum = manifest.Hash{}
		return nil
	}
	return fmt.Errorf("%s names archive %s, and %s names %s: %w",
		manifest.ArchiveKey, h.id.ID, ledger, h.record.Archive, ErrDamaged)
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
		h.warn("%s cannot be read (%v); the archive's id is taken from the manifests", manifest.ArchiveKey, err)
		return nil
	case err != nil:
		return err // it names archive.json
	}
	h.id, h.rawID = id, b
	a.rememberID(b)
	return nil
}

// rememberID keeps the hash of archive.json for the local state.
func (a *Archive) rememberID(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idSum = manifest.Sum(b)
}

// load reads everything that a backup's plan depends on: the newest valid manifest and, if that one cannot be read, the
// newest readable one.
func (a *Archive) load(ctx context.Context) (*head, error) { return a.loadAs(ctx, false) }

// loadAs is load. With durable it also makes what it read durable, for an operation that relies on that.
func (a *Archive) loadAs(ctx context.Context, durable bool) (*head, error) {
	return a.loadWith(ctx, durable, allPages)
}

// loadWith is loadAs with those pages alone that an operation needs.
func (a *Archive) loadWith(ctx context.Context, durable bool, needed pageChoice) (*head, error) {
	h, err := a.loadSteady(ctx, durable, needed)
	if err != nil {
		return nil, err
	}
	s, err := a.loadPin(h.archiveID())
	if err != nil {
		return nil, err
	}
	if s != nil && s.Newest.Sequence > h.newest().Sequence {
		// Another backup of this host may have been faster than the listing.
		if h, err = a.loadSteady(ctx, durable, needed); err != nil {
			return nil, err
		}
	}
	a.checkPin(h, s)
	h.warnOfIgnored()
	was, err := a.state.AtPlace()
	if errors.Is(err, localstate.ErrUnread) && !a.isKeptByAnother(err) {
		return nil, err
	}
	if was != "" && h.archiveID() != "" && was != h.archiveID() {
		h.warn("the address has another archive than when this host last read it: now %s, and before %s; "+
			"is the right disk mounted?", h.archiveID(), was)
	}
	a.rememberHead(ctx, h)
	return h, nil
}

// loadSteady starts over when a manifest is deleted between its listing and its reading.
func (a *Archive) loadSteady(ctx context.Context, durable bool, needed pageChoice) (h *head, err error) {
	err = a.retryWhilePruned(ctx, func() error {
		if h, err = a.loadOnce(ctx, needed); err != nil || !durable {
			return err
		}
		return a.makeDurable(ctx, h.newest().Sequence, h.ledger.Number)
	})
	return h, err
}

func (a *Archive) loadOnce(ctx context.Context, needed pageChoice) (*head, error) {
	h, hasManifests, err := a.readHead(ctx)
	if err != nil {
		return nil, err
	}
	if hasManifests {
		if err := a.loadNewest(ctx, h, needed); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (a *Archive) loadNewest(ctx context.Context, h *head, needed pageChoice) error {
	foreign := ""
	for f, err := range a.manifests(ctx, h) {
		if err != nil {
			return err
		}
		h.greatest = max(h.greatest, f.n)
		if !h.record.ValidNumber(f.n) {
			continue // invalid: it was created after a prune had dropped its number
		}
		s, ref, err := a.readSnapshotOf(ctx, f.n, h.record, needed)
		switch {
		case errors.Is(err, errVoid):
			h.warn("manifest %d is not the one that the ledger lists under this number; it is skipped", f.n)
			continue
		case err == nil && h.id != nil && s.m.Archive != h.id.ID:
			h.warn("manifest %d belongs to another archive (%s); it is skipped when planning", f.n, s.m.Archive)
			foreign = s.m.Archive
		case err != nil && ref.Sequence == 0 && errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", errGone, err)
		case err != nil && (ref.Sequence == 0 || !errors.Is(err, ErrDamaged)):
			return err
		case err != nil:
			if errors.Is(err, manifest.ErrVersion) {
				h.newer = manifest.ManifestKey(f.n)
			}
			h.warn("snapshot %d cannot be read, so planning uses an older one: %v", f.n, err)
		default:
			h.base = s
			if s.m.IsWhole() {
				a.remember(s) // its pages need not be read again the next time
			}
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
		return fmt.Errorf("%s names archive %s, and no manifest does: one names %s; restore the correct %s "+
			"or, if the manifests are correct, delete it, and a repair writes it again from them: %w",
			manifest.ArchiveKey, h.id.ID, foreign, manifest.ArchiveKey, ErrDamaged)
	}
	return nil
}

// checkSkew compares the clocks of the archiving host and of the provider. Both have set a time on the newest manifest.
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
		h.warn("the clock of %s differed by %s from the provider's when snapshot %d was made%s",
			m.Node, skew.Round(time.Second), f.n, copied)
	}
}
