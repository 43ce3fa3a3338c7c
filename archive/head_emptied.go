package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// errEmptied reports an archive without a snapshot that had one. No operation leaves an archive so: a prune always
// keeps the newest snapshot.
type errEmptied struct{ evidence string }

func (e *errEmptied) Error() string {
	return e.evidence + allGone + "; if there is a copy of the archive, copy its snapshots back"
}

const allGone = ", and now there is no snapshot"

func (e *errEmptied) Unwrap() error { return ErrDamaged }

// emptied returns an errEmptied if an archive without a snapshot must have had one, and nil if it may be new. The
// evidence is older than the failure: a verify that found no snapshot is none, or the next one would take the loss for
// the normal state. The greatest number of an object is that of the caller's listing, 0 without one.
func (a *Archive) emptied(ctx context.Context, h *head, greatest int64) error {
	for _, find := range []func(context.Context, *head) (string, error){
		listedInLedger, a.seenHere, a.proven,
		func(ctx context.Context, _ *head) (string, error) { return a.storedLater(ctx, greatest) },
	} {
		evidence, err := find(ctx, h)
		if err != nil {
			return err
		}
		if evidence == "" {
			continue
		}
		now, err := a.rereadLedger(ctx)
		if err != nil {
			return err
		}
		if n, err := a.greatestManifest(ctx, now); err != nil || n > 0 {
			return err // the first ones came since
		}
		return &errEmptied{evidence}
	}
	return nil
}

// warnEmptied adds a warning for a backup to an archive that has lost all snapshots. The backup goes on: an attacker who
// can create objects can forge the evidence. The local state's own warnings suffice.
func (a *Archive) warnEmptied(ctx context.Context, h *head) error {
	if !h.exists() || h.parent != nil || len(h.anomalies) > 0 {
		return nil
	}
	err := a.emptied(ctx, h, 0)
	if lost, is := errors.AsType[*errEmptied](err); is {
		h.warn("%s%s", lost.evidence, allGone)
		return nil
	}
	return err
}

// noSnapshot returns the error of an operation that needs a snapshot of an archive without one.
func (a *Archive) noSnapshot(ctx context.Context, h *head) error {
	if err := a.emptied(ctx, h, 0); err != nil {
		return err
	}
	return fmt.Errorf("%w: the archive has none yet", ErrNoSnapshot)
}

// listedInLedger returns the evidence of the ledger.
func listedInLedger(_ context.Context, h *head) (string, error) {
	if h.record == nil || len(h.record.Kept) == 0 {
		return "", nil
	}
	s := "s"
	if len(h.record.Kept) == 1 {
		s = ""
	}
	return fmt.Sprintf("record %d of the ledger keeps %d snapshot%s", h.ledger.Number, len(h.record.Kept), s), nil
}

// seenHere returns the evidence of this host's local state.
func (a *Archive) seenHere(_ context.Context, h *head) (string, error) {
	pin, err := a.loadPin(h.archiveID())
	if pin == nil || err != nil {
		return "", err
	}
	return fmt.Sprintf("this host has seen snapshot %d (to have this forgotten, delete %s)",
		pin.Newest.Sequence, a.state.PinPath(h.archiveID())), nil
}

// proven returns the evidence of a verification record: the newest one of a time at which there was a snapshot.
func (a *Archive) proven(ctx context.Context, h *head) (string, error) {
	if !h.hasProofs {
		return "", nil
	}
	all, err := a.proofs(ctx)
	if err != nil {
		return "", err
	}
	for _, kind := range []string{manifest.ProofVerify, manifest.ProofDrill} {
		for _, o := range slices.Backward(all[kind]) {
			p, err := a.readProof(ctx, o.Key, kind)
			switch {
			case err != nil:
				return "", err
			case p == nil || p.Archive != h.archiveID():
			case p.Snapshots > 0:
				return fmt.Sprintf("a verify of %s found %d snapshots", p.Created.Format(time.DateOnly), p.Snapshots), nil
			case p.Snapshot > 0:
				return fmt.Sprintf("a drill of %s restored snapshot %d", p.Created.Format(time.DateOnly), p.Snapshot), nil
			}
		}
	}
	return "", nil
}

// storedLater returns the evidence of an object that was stored for a later snapshot than the first one. Without a
// listing of the caller it lists one page of each kind of object.
func (a *Archive) storedLater(ctx context.Context, greatest int64) (string, error) {
	for _, prefix := range []string{manifest.BundlesPrefix, manifest.DataPrefix, manifest.PagesPrefix} {
		if greatest > 0 {
			break
		}
		first, err := a.tallyFirst(ctx, prefix, tallyOf)
		if err != nil {
			return "", err
		}
		greatest = max(greatest, first.greatest)
	}
	now, err := a.rereadLedger(ctx) // a copy may have begun since
	if err != nil || greatest <= firstSequence(now.record) {
		return "", err // the first backup stores everything for the first number
	}
	return fmt.Sprintf("there are objects that were stored for snapshot %d", greatest), nil
}

// tallyFirst returns the tally of the first objects below a prefix that are in no nested archive.
func (a *Archive) tallyFirst(ctx context.Context, prefix string, of func(*store.Object) tally) (tally, error) {
	found, err := a.firstPage(ctx, prefix)
	if err != nil {
		return tally{}, err
	}
	listing := nesting{roots: roots{}}
	for i := range found {
		listing.see(found[i].Key, of(&found[i]))
	}
	listing.end()
	return listing.rest, nil
}

// tallyOf returns the tally of an object that no snapshot names.
func tallyOf(o *store.Object) tally {
	t := tally{objects: 1, other: 1}
	if k, ok := manifest.ParseObjectKey(o.Key); ok {
		t.greatest = k.Sequence
	}
	return t
}

// firstSequence is the number of the archive's first snapshot: 1, or in a copy the one after the numbers that
// the copy leaves out, according to the ledger.
func firstSequence(r *manifest.Record) int64 {
	if r != nil && r.Newest == 0 {
		return r.Removed[len(r.Removed)-1] + 1
	}
	return 1
}
