package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Any object may exist under the key of a manifest. Writers number their manifests one after the other, so one
// that is far above all others is none of theirs, and counts for nothing (format.md, "Objects that count for
// nothing", rule 3). This file decides which manifests count, from the ledger, the listing and the first 4 KiB of a
// few manifests alone: all readers come to the same result.

// Anchor returns the greatest number that the ledger has used up; zero without a ledger.
func (h *Head) Anchor() int64 {
	if h.Record == nil {
		return 0
	}
	n := h.Record.Newest
	if last := len(h.Record.Removed) - 1; last >= 0 {
		n = max(n, h.Record.Removed[last]) // a copy, or a backup, skipped this number
	}
	return n
}

// ignore notes an object that counts for nothing.
func (h *Head) ignore(key string) {
	if i, found := slices.BinarySearch(h.Ignored, key); !found {
		h.Ignored = slices.Insert(h.Ignored, i, key)
	}
}

// Ignores reports whether the key is of a manifest that counts for nothing.
func (h *Head) Ignores(n int64) bool {
	_, found := slices.BinarySearch(h.Ignored, manifest.ManifestKey(n))
	return found || n > manifest.MaxCounted || h.Record.IsVoid(n)
}

// Manifests yields the manifests that count by their number, greatest first, and notes the others in the head.
// The caller judges them by the ledger.
func (a *Repo) Manifests(ctx context.Context, h *Head) iter.Seq2[Numbered, error] {
	return a.Reach(ctx, h, a.Numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey))
}

// MostUnread is how many manifests at the end of a history are read to find one that can be read. Behind as many
// that cannot, and where none can, those up to mostUnsupported count.
const (
	MostUnread      = 1000
	mostUnsupported = manifest.MaxCounted / 4 // no archive comes near it, and it leaves writers most of the numbers
)

// Reach is Manifests for a listing.
func (a *Repo) Reach(ctx context.Context, h *Head, listed iter.Seq2[Numbered, error]) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) {
		anchor := h.Anchor()
		limit := int64(0) // the greatest number that counts, once it is known
		var above []unsupported
		goOn := true
		decide := func(greatest int64) { // the greatest number that is supported
			for _, f := range slices.Backward(above) {
				if f.isOwn && f.Number <= greatest+manifest.MaxGap {
					greatest = max(greatest, f.Number) // an outsider's manifest, deleted since, was its parent
				}
			}
			limit = min(greatest+manifest.MaxAhead, manifest.MaxCounted)
			for _, f := range above {
				switch {
				case f.Number > limit:
					h.ignore(f.Object.Key)
				case goOn:
					goOn = yield(f.Numbered, nil)
				}
			}
			above = nil
		}
		for f, err := range listed {
			switch {
			case err != nil:
				yield(Numbered{}, err)
				return
			case f.Number > manifest.MaxCounted:
				h.ignore(f.Object.Key)
				continue
			case h.Record.IsVoid(f.Number):
				continue
			case limit > 0:
			case len(above) == 0 && f.Number <= anchor+manifest.MaxAhead:
				decide(manifest.MaxCounted)
			case len(above) == MostUnread:
				decide(max(anchor, mostUnsupported-manifest.MaxAhead))
			case f.Number <= anchor:
				decide(anchor)
			default:
				isOwn, isSupported, err := a.isOwnManifest(ctx, h, f)
				if err != nil {
					yield(Numbered{}, err)
					return
				}
				if !isSupported {
					above = append(above, unsupported{f, isOwn})
					continue
				}
				decide(f.Number)
			}
			if f.Number > limit {
				h.ignore(f.Object.Key)
				continue
			}
			if !goOn || !yield(f, nil) {
				return
			}
		}
		switch {
		case len(above) > 0 && anchor > 0:
			decide(anchor)
		case len(above) > 0:
			decide(mostUnsupported - manifest.MaxAhead)
		}
	}
}

// unsupported is a manifest whose number no parent supports.
type unsupported struct {
	Numbered
	isOwn bool // its beginning can be read, and names this archive
}

// isOwnManifest reports whether the beginning of a manifest can be read and names this archive, and whether its parent
// then supports its number.
func (a *Repo) isOwnManifest(ctx context.Context, h *Head, f Numbered) (isOwn, isSupported bool, err error) {
	known := a.Known()
	if known != nil && h.ID != nil && known.Ref.Sequence == f.Number && known.Manifest.Archive == h.ID.ID {
		return true, true, nil
	}
	s, err := a.Summary(ctx, f)
	switch {
	case errors.Is(err, values.ErrDamaged):
		return false, false, nil
	case errors.Is(err, fs.ErrNotExist): // a prune has deleted it since; what is found gone is read again
		return true, true, nil
	case err != nil:
		return false, false, err
	case h.ID != nil && s.Archive != h.ID.ID, h.ID == nil && h.Record != nil && s.Archive != h.Record.Archive:
		return false, false, nil
	}
	isSupported, err = a.isSupported(ctx, h, s)
	return true, isSupported, err
}

// isSupported reports whether a writer of this archive could have chosen a manifest's number. It chooses one near the
// parent's, or writes a record first that uses up the numbers in between. Beside a record that cannot be read, every
// number up to mostUnsupported could have been chosen: that record may have used numbers up, and may have dropped the
// parent.
func (a *Repo) isSupported(ctx context.Context, h *Head, s *manifest.Summary) (bool, error) {
	if h.Unread != nil && s.Sequence <= mostUnsupported {
		return true, nil
	}
	parent, isNear := h.SupportOf(s)
	if !isNear || parent <= h.Anchor() {
		return isNear, nil
	}
	switch _, err := a.Store.Stat(ctx, manifest.ManifestKey(parent)); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking manifest %d, the parent of %d: %w", parent, s.Sequence, err)
	}
	return true, nil
}

// SupportOf returns the number of a manifest's parent, zero without one, and whether that or the ledger is near enough
// to the manifest's own. A parent above the ledger's numbers must also exist.
func (h *Head) SupportOf(s *manifest.Summary) (parent int64, isNear bool) {
	if s.Parent != nil {
		parent = s.Parent.Sequence
	}
	return parent, h.Supports(s.Parent, s.Sequence)
}

// Supports reports whether a parent or the ledger is near enough to a manifest's number n. It leaves more room than
// Reach does above the greatest manifest that can be read. So a backup can pass over what an outsider created there,
// also while no record can be written.
func (h *Head) Supports(parent *manifest.Ref, n int64) bool {
	return n <= h.usedBy(parent)+manifest.MaxGap
}

// usedBy returns the greatest number that the ledger or a parent, which is nil for none, has used up.
func (h *Head) usedBy(parent *manifest.Ref) int64 {
	if parent == nil {
		return h.Anchor()
	}
	return max(h.Anchor(), parent.Sequence)
}

// VoidNumbers returns the numbers above newest that a record excludes for good: those that the record in force
// excludes, and those of the manifests that count for nothing. Otherwise such a manifest would count once the
// others come near it.
func (h *Head) VoidNumbers(newest int64) []int64 {
	var all []int64
	if h.Record != nil {
		all = slices.DeleteFunc(slices.Clone(h.Record.Void), func(n int64) bool { return n <= newest })
	}
	for _, key := range h.Ignored {
		if n, ok := manifest.ParseManifestKey(key); ok && n > newest && len(all) < mostVoid {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mostVoid limits the size of a record.
const mostVoid = 100_000

// NextSequence returns the number that the next snapshot gets.
func (h *Head) NextSequence() int64 {
	n := max(h.Greatest, h.Passed) + 1
	for n <= manifest.MaxCounted && h.Ignores(n) {
		n++
	}
	return n
}

// IsFar reports whether a manifest of this number could count for nothing without a record that has the numbers below
// it. The base itself supports none here: an outsider may have created it.
func (h *Head) IsFar(n int64) bool {
	var parent *manifest.Ref
	if h.Base != nil {
		parent = h.Base.Manifest.Parent
	}
	return n > h.usedBy(parent)+manifest.MaxAhead
}

// IgnoresBelow reports whether a manifest that counts for nothing would count once a snapshot has the given number.
func (h *Head) IgnoresBelow(next int64) bool {
	return slices.ContainsFunc(h.Ignored, func(key string) bool {
		n, ok := manifest.ParseManifestKey(key)
		return ok && n <= next+manifest.MaxGap
	})
}

// WhyIgnored is what warnings say of an object that counts for nothing.
const WhyIgnored = "it counts for nothing: its number is far above the others, so no writer of this archive created it"

// warnOfIgnored adds a warning of each object that counts for nothing, and of a record that cannot be read.
func (h *Head) warnOfIgnored() {
	for i, key := range h.Ignored {
		if i == MostShown {
			h.Warn("%d more objects count for nothing", len(h.Ignored)-i)
			break
		}
		h.Warn("%s: %s", key, WhyIgnored)
	}
	if h.Unread != nil {
		h.Warn("%s", h.Unread.doubt())
	}
}

// MostShown is how many objects that count for nothing are named in warnings.
const MostShown = 5

// LogIgnored logs what warnOfIgnored adds, once for each object, for operations without warnings.
func (a *Repo) LogIgnored(h *Head) {
	shown := Head{Ignored: h.Ignored, Unread: h.Unread}
	shown.warnOfIgnored()
	for _, w := range shown.Warnings {
		if a.IsNewWarning(w) {
			a.Log.Warn(w)
		}
	}
}
