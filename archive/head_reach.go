package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Any object may exist under the key of a manifest. Writers number their manifests one after the other, so one
// that is far above all others is none of theirs, and counts for nothing (format.md, "Objects that count for
// nothing", rule 3). This file decides which manifests count, from the ledger, the listing and the first 4 KiB of a
// few manifests alone: all readers come to the same result.

// anchor returns the greatest number that the ledger has used up; zero without a ledger.
func (h *head) anchor() int64 {
	if h.record == nil {
		return 0
	}
	n := h.record.Newest
	if last := len(h.record.Removed) - 1; last >= 0 {
		n = max(n, h.record.Removed[last]) // a copy, or a backup, skipped this number
	}
	return n
}

// ignore notes an object that counts for nothing.
func (h *head) ignore(key string) {
	if i, found := slices.BinarySearch(h.ignored, key); !found {
		h.ignored = slices.Insert(h.ignored, i, key)
	}
}

// ignores reports whether the key is of a manifest that counts for nothing.
func (h *head) ignores(n int64) bool {
	_, found := slices.BinarySearch(h.ignored, manifest.ManifestKey(n))
	return found || n > manifest.MaxCounted || h.record.IsVoid(n)
}

// manifests yields the manifests that count by their number, greatest first, and notes the others in the head.
// The caller judges them by the ledger.
func (a *Archive) manifests(ctx context.Context, h *head) iter.Seq2[numbered, error] {
	return a.reach(ctx, h, a.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey))
}

// mostUnread is how many manifests at the end of a history are read to find one that can be read. Behind as many
// that cannot, and where none can, those up to mostUnsupported count.
const (
	mostUnread      = 1000
	mostUnsupported = manifest.MaxCounted / 4 // no archive comes near it, and it leaves writers most of the numbers
)

// reach is manifests for a listing.
func (a *Archive) reach(ctx context.Context, h *head, listed iter.Seq2[numbered, error]) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		anchor := h.anchor()
		limit := int64(0) // the greatest number that counts, once it is known
		var above []numbered
		goOn := true
		decide := func(n int64) {
			limit = min(n, manifest.MaxCounted)
			for _, f := range above {
				switch {
				case f.n > limit:
					h.ignore(f.object.Key)
				case goOn:
					goOn = yield(f, nil)
				}
			}
			above = nil
		}
		for f, err := range listed {
			switch {
			case err != nil:
				yield(numbered{}, err)
				return
			case f.n > manifest.MaxCounted:
				h.ignore(f.object.Key)
				continue
			case h.record.IsVoid(f.n):
				continue
			case limit > 0:
			case len(above) == 0 && f.n <= anchor+manifest.MaxAhead:
				decide(manifest.MaxCounted)
			case len(above) == mostUnread:
				decide(max(anchor+manifest.MaxAhead, mostUnsupported))
			case f.n <= anchor:
				decide(anchor + manifest.MaxAhead)
			default:
				readable, err := a.isOwnManifest(ctx, h, f)
				if err != nil {
					yield(numbered{}, err)
					return
				}
				if !readable {
					above = append(above, f)
					continue
				}
				decide(f.n + manifest.MaxAhead)
			}
			if f.n > limit {
				h.ignore(f.object.Key)
				continue
			}
			if !goOn || !yield(f, nil) {
				return
			}
		}
		switch {
		case len(above) > 0 && anchor > 0:
			decide(anchor + manifest.MaxAhead)
		case len(above) > 0:
			decide(mostUnsupported)
		}
	}
}

// isOwnManifest reports whether the beginning of a manifest can be read and names this archive, and whether its parent
// supports its number.
func (a *Archive) isOwnManifest(ctx context.Context, h *head, f numbered) (bool, error) {
	a.mu.Lock()
	known := a.known
	a.mu.Unlock()
	if known != nil && h.id != nil && known.ref.Sequence == f.n && known.m.Archive == h.id.ID {
		return true, nil
	}
	s, err := a.summary(ctx, f)
	switch {
	case errors.Is(err, ErrDamaged):
		return false, nil
	case errors.Is(err, fs.ErrNotExist): // a prune has deleted it since; what is found gone is read again
		return true, nil
	case err != nil:
		return false, err
	case h.id != nil && s.Archive != h.id.ID, h.id == nil && h.record != nil && s.Archive != h.record.Archive:
		return false, nil
	}
	return a.isSupported(ctx, h, s)
}

// isSupported reports whether a writer of this archive could have chosen a manifest's number. It chooses one near the
// parent's, or writes a record first that uses up the numbers in between. Beside a record that cannot be read, every
// number up to mostUnsupported could have been chosen: that record may have used numbers up, and may have dropped the
// parent.
func (a *Archive) isSupported(ctx context.Context, h *head, s *manifest.Summary) (bool, error) {
	if h.unread != nil && s.Sequence <= mostUnsupported {
		return true, nil
	}
	parent, isNear := h.supportOf(s)
	if !isNear || parent <= h.anchor() {
		return isNear, nil
	}
	switch _, err := a.store.Stat(ctx, manifest.ManifestKey(parent)); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking manifest %d, the parent of %d: %w", parent, s.Sequence, err)
	}
	return true, nil
}

// supportOf returns the number of a manifest's parent, zero without one, and whether that or the ledger is near enough
// to the manifest's own. A parent above the ledger's numbers must also exist.
func (h *head) supportOf(s *manifest.Summary) (parent int64, isNear bool) {
	if s.Parent != nil {
		parent = s.Parent.Sequence
	}
	return parent, h.supports(s.Parent, s.Sequence)
}

// supports reports whether a parent or the ledger is near enough to a manifest's number n. It leaves more room than
// reach does above the greatest manifest that can be read. So a backup can pass over what an outsider created there,
// also while no record can be written.
func (h *head) supports(parent *manifest.Ref, n int64) bool {
	from := h.anchor()
	if parent != nil {
		from = max(from, parent.Sequence)
	}
	return n <= from+manifest.MaxGap
}

// voidNumbers returns the numbers above newest that a record excludes for good: those that the record in force
// excludes, and those of the manifests that count for nothing. Otherwise such a manifest would count once the
// others come near it.
func (h *head) voidNumbers(newest int64) []int64 {
	var all []int64
	if h.record != nil {
		all = slices.DeleteFunc(slices.Clone(h.record.Void), func(n int64) bool { return n <= newest })
	}
	for _, key := range h.ignored {
		if n, ok := manifest.ParseManifestKey(key); ok && n > newest && len(all) < mostVoid {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mostVoid limits the size of a record.
const mostVoid = 100_000

// nextSequence returns the number that the next snapshot gets.
func (h *head) nextSequence() int64 {
	n := max(h.greatest, h.passed) + 1
	for n <= manifest.MaxCounted && h.ignores(n) {
		n++
	}
	return n
}

// isFar reports whether a manifest of this number would count for nothing without a record that skips the
// numbers below it.
func (h *head) isFar(n int64) bool {
	reach := h.anchor()
	if h.base != nil {
		reach = max(reach, h.base.ref.Sequence)
	}
	return n > reach+manifest.MaxAhead
}

// ignoresBelow reports whether a manifest that counts for nothing would count once a snapshot has the given number.
func (h *head) ignoresBelow(next int64) bool {
	return slices.ContainsFunc(h.ignored, func(key string) bool {
		n, ok := manifest.ParseManifestKey(key)
		return ok && n <= next+manifest.MaxGap
	})
}

// whyIgnored is what warnings say of an object that counts for nothing.
const whyIgnored = "it counts for nothing: its number is far above the others, so no writer of this archive created it"

// warnOfIgnored adds a warning of each object that counts for nothing, and of a record that cannot be read.
func (h *head) warnOfIgnored() {
	for i, key := range h.ignored {
		if i == mostShown {
			h.warn("%d more objects count for nothing", len(h.ignored)-i)
			break
		}
		h.warn("%s: %s", key, whyIgnored)
	}
	if h.unread != nil {
		h.warn("%s", h.unread.doubt())
	}
}

// mostShown is how many objects that count for nothing are named in warnings.
const mostShown = 5

// logIgnored logs what warnOfIgnored adds, once for each object, for operations without warnings.
func (a *Archive) logIgnored(h *head) {
	shown := head{ignored: h.ignored, unread: h.unread}
	shown.warnOfIgnored()
	for _, w := range shown.warnings {
		if a.isNewWarning(w) {
			a.log.Warn(w)
		}
	}
}

// isNewWarning reports whether this is the first call with a warning.
func (a *Archive) isNewWarning(w string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.warned[w] {
		return false
	}
	if a.warned == nil {
		a.warned = map[string]bool{}
	}
	a.warned[w] = true
	return true
}
