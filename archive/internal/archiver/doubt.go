package archiver

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// canReuseBase reports whether a backup may reference the base's objects. It may not while the ledger's next record
// cannot be read: that record may have dropped the snapshots that the objects were stored for. So the first backup
// then stores everything under its own number, and the later ones reference only what was stored since. Which
// snapshot was the first is in memory and in the local state; without both, a backup stores everything once more.
func canReuseBase(a *repo.Repo, h *repo.Head) bool {
	if h.Unread == nil {
		a.KeepWhole(nil)
		return h.CanReuseBase()
	}
	since := storedWhole(a, h)
	return since != nil && h.CanReuseBase() && !namesOlder(h.Base, since.Since)
}

// storedWhole returns since when snapshots were stored without the record that cannot be read now; nil if none was.
func storedWhole(a *repo.Repo, h *repo.Head) *localstate.Whole {
	since := a.Whole()
	if since == nil {
		pin, err := a.LoadPin(h.ArchiveID())
		if err != nil {
			a.Log.Warn("the next snapshot stores all content again", "error", err)
		}
		if pin != nil {
			since = pin.Whole
		}
	}
	if since == nil || since.Record != h.Unread.Ref.Number || since.SHA256 != h.Unread.Ref.SHA256 {
		return nil
	}
	a.KeepWhole(since)
	return since
}

// namesOlder reports whether a snapshot names an object that was stored for a number below n.
func namesOlder(s *repo.Snapshot, n int64) bool {
	older := false
	repo.EachObject(s, func(key string, _ *manifest.Part, _ *manifest.PageRef) {
		k, ok := manifest.ParseObjectKey(key)
		older = older || !ok || k.Sequence < n
	})
	return older
}

// noteWhole records that the new snapshot needs no object from before the record that cannot be read.
func (r *backupRun) noteWhole() {
	u := r.src.Head.Unread
	if u == nil || r.src.CanReuseBase {
		return
	}
	r.repo.KeepWhole(&localstate.Whole{Record: u.Ref.Number, SHA256: u.Ref.SHA256, Since: r.next})
}

// fence writes a ledger record before a snapshot whose number is far above all that is sure: the local state has seen
// greater numbers than the archive, or an outsider may have created the base. It also does so before a snapshot with
// whose number a manifest may begin to count that counts for nothing so far: the record excludes that one. A snapshot
// that counts without the record is made even if the record cannot be written. Another one would count for nothing, so
// the backup fails.
func (r *backupRun) fence(ctx context.Context, id string) error {
	h := r.src.Head
	isFar := h.IsFar(r.next)
	if !isFar && !h.IgnoresBelow(r.next) {
		return nil
	}
	skipped := r.next - 1
	if !isFar || h.Base != nil && h.Base.Ref.Sequence == skipped {
		skipped = 0
	}
	_, err := r.repo.AppendRecord(ctx, repo.RecordOptions{Empty: true}, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		what := s.KeepAll("a manifest far above the others is excluded")
		what.Skipped, what.Archive = skipped, id
		if isFar {
			what.Why = fmt.Sprintf("the numbers up to %d were used before", r.next-1)
		}
		return what, nil
	})
	switch {
	case err == nil:
		r.isFenced = isFar
		return nil
	case ctx.Err() != nil, errors.Is(err, store.ErrGone), errors.Is(err, repo.ErrOtherID):
		return err
	case !isFar:
		r.src.Warn("the ledger does not exclude a manifest far above the others, which may begin to count: %v", err)
		return nil
	case !r.needsFence():
		r.src.Warn("the ledger does not have the gap before snapshot %d: %v", r.next, err)
		return nil
	}
	return fmt.Errorf("snapshot %d would count for nothing without a record of the gap before it: %w", r.next, err)
}

// needsFence reports whether the snapshot would count for nothing without the record of fence. Beside a record that
// cannot be read it counts, and its parent supports it once that record has been deleted, if it is near enough.
func (r *backupRun) needsFence() bool {
	h := r.src.Head
	return h.IsFar(r.next) && h.Unread == nil && !h.Supports(r.parentOfNext(), r.next)
}

// parentOfNext returns the reference of the new snapshot's parent, nil for the first one. That is the newest manifest,
// whether it can be read or not. Far above the others, where no record has the gap, it is the base: an outsider may have
// created the newest one, and once it is deleted it supports no number.
func (r *backupRun) parentOfNext() *manifest.Ref {
	if r.src.Head.Base != nil && r.src.Head.IsFar(r.next) && !r.isFenced {
		return &r.src.Head.Base.Ref
	}
	return r.src.Head.Parent
}
