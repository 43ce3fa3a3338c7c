package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Head is the archive's state as read before planning.
type Head struct {
	ID         *manifest.Archive // archive.json; nil if it is missing or cannot be read
	RawID      []byte            // archive.json as it is stored
	Record     *manifest.Record  // the ledger's record in force; nil if there is none
	Ledger     manifest.RecordRef
	Records    []int64       // the numbers of the listed records, from the greatest down to the one in force
	Unread     *UnreadRecord // the next record, if it exists and cannot be read
	Ignored    []string      // keys of manifests and records that count for nothing
	BadID      bool          // archive.json exists, and cannot be read
	HasData    bool          // there are data objects, perhaps of an interrupted run
	IDLost     bool          // archive.json is missing beside manifests or a ledger
	begins     bool          // what is beside the missing archive.json is no archive's, so one may begin
	newer      string        // key of a manifest of a later version; empty if none was found
	HasBundles bool          // there are bundles, perhaps of an interrupted run
	HasPages   bool          // there are pages, perhaps of an interrupted run
	HasProofs  bool          // there are verification records
	Parent     *manifest.Ref // the newest valid manifest as found, readable or not
	Base       *Snapshot     // the newest valid manifest that can be read; nil if none can
	Greatest   int64         // the greatest sequence number seen anywhere
	Passed     int64         // a greater number that a backup passes over, as its manifest cannot be created; 0 if none
	Warnings   []string
	Anomalies  []values.Problem // contradictions to the local state, which stay until they are repaired
}

func (h *Head) Warn(format string, args ...any) {
	h.Warnings = append(h.Warnings, fmt.Sprintf(format, args...))
}

// Exists reports whether anything was ever archived here.
func (h *Head) Exists() bool { return h.ID != nil || h.BadID || h.Greatest > 0 }

// IsNew reports whether the next backup begins the archive.
func (h *Head) IsNew() bool { return !h.Exists() || h.IsFresh() || h.begins }

// IsFresh reports whether the archive has no more than an archive.json that cannot be read. Anything under that key
// must not keep a first snapshot from being made: the snapshot's manifest has the id.
func (h *Head) IsFresh() bool {
	return h.BadID && h.Greatest == 0 && h.Record == nil && h.Unread == nil
}

// CheckUnknownID returns an error if the archive's id is lost, so that no backup can continue the archive.
func (h *Head) CheckUnknownID() error {
	if h.ArchiveID() != "" || h.IsFresh() || !h.BadID && (h.Greatest == 0 || h.begins) {
		return nil
	}
	return fmt.Errorf("%s is missing or cannot be read, and no manifest can be read, so the archive's id is unknown; "+
		"start a new archive: %w", manifest.ArchiveKey, values.ErrDamaged)
}

// ArchiveID returns the archive's id from archive.json or, if that is missing, from the newest readable manifest. It is
// empty if neither has one.
func (h *Head) ArchiveID() string {
	switch {
	case h.ID != nil:
		return h.ID.ID
	case h.Base != nil:
		return h.Base.Manifest.Archive
	}
	return ""
}

// Newest returns the newest valid manifest as found; zero if there is none.
func (h *Head) Newest() manifest.Ref {
	if h.Parent == nil {
		return manifest.Ref{}
	}
	return *h.Parent
}

// CanReuseBase reports whether the numbers allow a backup to reference the base's objects. They do only if its number
// is the base's plus one. Otherwise an unseen snapshot may lie between them, and a prune planned from that snapshot may already have
// deleted those objects.
func (h *Head) CanReuseBase() bool {
	return h.Base != nil && h.Base.Ref.Sequence == max(h.Greatest, h.Passed)
}

func (h *Head) Layout() string {
	switch {
	case h.ID != nil:
		return h.ID.Layout
	case h.Base != nil:
		return h.Base.Manifest.Layout
	}
	return ""
}

// ReadHead reads what every operation needs first: the archive's id and the ledger's newest record. One listing of the
// top level shows which other requests are needed. The bool reports whether there are manifests.
func (a *Repo) ReadHead(ctx context.Context) (*Head, bool, error) {
	var h Head
	top := map[string]bool{}
	for o, err := range a.Store.List(ctx, "", "/", "") {
		if err != nil {
			return nil, false, fmt.Errorf("opening the archive: %w", err)
		}
		top[o.Key] = true
	}
	h.HasData, h.HasBundles, h.HasPages = top[manifest.DataPrefix], top[manifest.BundlesPrefix], top[manifest.PagesPrefix]
	h.HasProofs = top[manifest.ProofsPrefix]
	others := top[manifest.ManifestsPrefix] || top[manifest.LedgerPrefix]
	if top[manifest.ArchiveKey] || others { // a listing may show later objects and miss archive.json
		err := a.readID(ctx, &h)
		h.IDLost = others && errors.Is(err, fs.ErrNotExist)
		if err != nil && !h.IDLost {
			return nil, false, err
		}
	}
	if top[manifest.LedgerPrefix] {
		if err := a.readLedgerThere(ctx, &h); err != nil {
			return nil, false, err
		}
	}
	a.mu.Lock()
	a.headID = h.ID
	a.mu.Unlock()
	return &h, top[manifest.ManifestsPrefix], nil
}

// MostAsked is how many manifests are read to find out which archive a ledger belongs to.
const MostAsked = 20

// resolveArchiveID decides by the newest readable manifest in the ledger when archive.json and the ledger name
// different archives. One flipped bit in archive.json must not make the archive unusable. If only archive.json differs,
// it counts as unreadable.
func (a *Repo) resolveArchiveID(ctx context.Context, h *Head) error {
	ledger := manifest.LedgerKey(h.Ledger.Number)
	for _, k := range slices.Backward(h.Record.Kept[max(0, len(h.Record.Kept)-MostAsked):]) {
		var m *manifest.Manifest
		b, err := a.Get(ctx, manifest.ManifestKey(k.Sequence), manifest.MaxManifestBytes, func(b []byte) (err error) {
			m, err = manifest.DecodeManifest(b, k.Sequence)
			return err
		})
		var bad *manifest.ParseError
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, objects.ErrTooLarge), errors.As(err, &bad), err == nil && manifest.Sum(b) != k.SHA256:
			continue
		case err != nil:
			return fmt.Errorf("determining the archive's id: %w", err)
		case m.Archive != h.Record.Archive:
			return fmt.Errorf("%s belongs to another archive, %s: %w", ledger, h.Record.Archive, values.ErrDamaged)
		}
		h.Warn("%s names archive %s, and the ledger and the manifests name %s; it counts as damaged",
			manifest.ArchiveKey, h.ID.ID, m.Archive)
		h.ID, h.RawID, h.BadID = nil, nil, true
		a.mu.Lock()
		defer a.mu.Unlock()
		a.idSum = manifest.Hash{}
		return nil
	}
	return fmt.Errorf("%s names archive %s, and %s names %s: %w",
		manifest.ArchiveKey, h.ID.ID, ledger, h.Record.Archive, values.ErrDamaged)
}

func (a *Repo) readID(ctx context.Context, h *Head) error {
	var id *manifest.Archive
	b, err := a.Get(ctx, manifest.ArchiveKey, manifest.SummaryBytes, func(b []byte) (err error) {
		id, err = manifest.DecodeArchive(b)
		return err
	})
	var bad *manifest.ParseError
	switch {
	case errors.Is(err, objects.ErrTooLarge), errors.As(err, &bad) && !errors.Is(err, manifest.ErrVersion):
		h.BadID = true
		h.Warn("%s cannot be read (%v); the archive's id is taken from the manifests", manifest.ArchiveKey, err)
		return nil
	case err != nil:
		return err // it names archive.json
	}
	h.ID, h.RawID = id, b
	a.RememberID(b)
	return nil
}

// RememberID keeps the hash of archive.json for the local state.
func (a *Repo) RememberID(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idSum = manifest.Sum(b)
}

// Load reads everything that a backup's plan depends on: the newest valid manifest and, if that one cannot be read, the
// newest readable one.
func (a *Repo) Load(ctx context.Context) (*Head, error) { return a.LoadAs(ctx, false) }

// LoadAs is Load. With durable it also makes what it read durable, for an operation that relies on that.
func (a *Repo) LoadAs(ctx context.Context, durable bool) (*Head, error) {
	return a.LoadWith(ctx, durable, AllPages)
}

// LoadWith is LoadAs with those pages alone that an operation needs.
func (a *Repo) LoadWith(ctx context.Context, durable bool, needed PageChoice) (*Head, error) {
	h, err := a.loadSteady(ctx, durable, needed)
	if err != nil {
		return nil, err
	}
	s, err := a.LoadPin(h.ArchiveID())
	if err != nil {
		return nil, err
	}
	if s != nil && s.Newest.Sequence > h.Newest().Sequence {
		// Another backup of this host may have been faster than the listing.
		if h, err = a.loadSteady(ctx, durable, needed); err != nil {
			return nil, err
		}
	}
	a.checkPin(h, s)
	h.warnOfIgnored()
	was, err := a.State.AtPlace()
	if errors.Is(err, localstate.ErrUnread) && !a.isKeptByAnother(err) {
		return nil, err
	}
	if was != "" && h.ArchiveID() != "" && was != h.ArchiveID() {
		h.Warn("the address has another archive than when this host last read it: now %s, and before %s; "+
			"is the right disk mounted?", h.ArchiveID(), was)
	}
	a.RememberHead(ctx, h)
	return h, nil
}

// loadSteady starts over when a manifest is deleted between its listing and its reading.
func (a *Repo) loadSteady(ctx context.Context, durable bool, needed PageChoice) (h *Head, err error) {
	err = a.RetryWhilePruned(ctx, func() error {
		if h, err = a.loadOnce(ctx, needed); err != nil || !durable {
			return err
		}
		return a.MakeDurable(ctx, h.Newest().Sequence, h.Ledger.Number)
	})
	return h, err
}

func (a *Repo) loadOnce(ctx context.Context, needed PageChoice) (*Head, error) {
	h, hasManifests, err := a.ReadHead(ctx)
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

func (a *Repo) loadNewest(ctx context.Context, h *Head, needed PageChoice) error {
	foreign := ""
	for f, err := range a.Manifests(ctx, h) {
		if err != nil {
			return err
		}
		h.Greatest = max(h.Greatest, f.Number)
		if !h.Record.ValidNumber(f.Number) {
			continue // invalid: it was created after a prune had dropped its number
		}
		s, ref, err := a.ReadSnapshotOf(ctx, f.Number, h.Record, needed)
		switch {
		case errors.Is(err, ErrVoid):
			h.Warn("manifest %d is not the one that the ledger lists under this number; it is skipped", f.Number)
			continue
		case err == nil && h.ID != nil && s.Manifest.Archive != h.ID.ID:
			h.Warn("manifest %d belongs to another archive (%s); it is skipped when planning", f.Number, s.Manifest.Archive)
			foreign = s.Manifest.Archive
		case err != nil && ref.Sequence == 0 && errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", objects.ErrGone, err)
		case err != nil && (ref.Sequence == 0 || !errors.Is(err, values.ErrDamaged)):
			return err
		case err != nil:
			if errors.Is(err, manifest.ErrVersion) {
				h.newer = manifest.ManifestKey(f.Number)
			}
			h.Warn("snapshot %d cannot be read, so planning uses an older one: %v", f.Number, err)
		default:
			h.Base = s
			if s.Manifest.IsWhole() {
				a.Remember(s) // its pages need not be read again the next time
			}
		}
		if h.Parent == nil {
			h.Parent = &ref
		}
		if h.Base != nil {
			h.checkSkew(f)
			return nil
		}
	}
	if foreign != "" {
		return fmt.Errorf("%s names archive %s, and no manifest does: one names %s; restore the correct %s "+
			"or, if the manifests are correct, delete it, and a repair writes it again from them: %w",
			manifest.ArchiveKey, h.ID.ID, foreign, manifest.ArchiveKey, values.ErrDamaged)
	}
	return nil
}

// checkSkew compares the clocks of the archiving host and of the provider. Both have set a time on the newest manifest.
func (h *Head) checkSkew(f Numbered) {
	m := h.Base.Manifest
	committed := m.Created.Add(time.Duration(m.DurationMS) * time.Millisecond)
	if f.Object.Modified.IsZero() {
		return
	}
	if skew := committed.Sub(f.Object.Modified); skew.Abs() > storecheck.MaxSkew {
		copied := ""
		if skew < 0 {
			copied = ", unless the archive was copied since"
		}
		h.Warn("the clock of %s differed by %s from the provider's when snapshot %d was made%s",
			m.Node, skew.Round(time.Second), f.Number, copied)
	}
}
