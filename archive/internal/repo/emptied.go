package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// ErrEmptied reports an archive without a snapshot that had one. No operation leaves an archive so: a prune always
// keeps the newest snapshot.
type ErrEmptied struct{ evidence string }

func (e *ErrEmptied) Error() string {
	return e.evidence + allGone + "; if there is a copy of the archive, copy its snapshots back"
}

const allGone = ", and now there is no snapshot"

func (e *ErrEmptied) Unwrap() error { return values.ErrDamaged }

// Emptied returns an ErrEmptied if an archive without a snapshot must have had one, and nil if it may be new. The
// evidence is older than the failure: a verify that found no snapshot is none, or the next one would take the loss for
// the normal state. The greatest number of an object is that of the caller's listing, 0 without one.
func (a *Repo) Emptied(ctx context.Context, h *Head, greatest int64) error {
	for _, find := range []func(context.Context, *Head) (string, error){
		listedInLedger, a.seenHere, a.proven,
		func(ctx context.Context, _ *Head) (string, error) { return a.storedLater(ctx, greatest) },
	} {
		evidence, err := find(ctx, h)
		if err != nil {
			return err
		}
		if evidence == "" {
			continue
		}
		now, err := a.RereadLedger(ctx)
		if err != nil {
			return err
		}
		if n, err := a.GreatestManifest(ctx, now); err != nil || n > 0 {
			return err // the first ones came since
		}
		return &ErrEmptied{evidence}
	}
	return nil
}

// WarnEmptied adds a warning for a backup to an archive that has lost all snapshots. The backup goes on: an attacker who
// can create objects can forge the evidence. The local state's own warnings suffice.
func (a *Repo) WarnEmptied(ctx context.Context, h *Head) error {
	if !h.Exists() || h.Parent != nil || len(h.Anomalies) > 0 {
		return nil
	}
	err := a.Emptied(ctx, h, 0)
	if lost, is := errors.AsType[*ErrEmptied](err); is {
		h.Warn("%s%s", lost.evidence, allGone)
		return nil
	}
	return err
}

// NoSnapshot returns the error of an operation that needs a snapshot of an archive without one.
func (a *Repo) NoSnapshot(ctx context.Context, h *Head) error {
	if err := a.Emptied(ctx, h, 0); err != nil {
		return err
	}
	return fmt.Errorf("%w: the archive has none yet", values.ErrNoSnapshot)
}

// listedInLedger returns the evidence of the ledger.
func listedInLedger(_ context.Context, h *Head) (string, error) {
	if h.Record == nil || len(h.Record.Kept) == 0 {
		return "", nil
	}
	s := "s"
	if len(h.Record.Kept) == 1 {
		s = ""
	}
	return fmt.Sprintf("record %d of the ledger keeps %d snapshot%s", h.Ledger.Number, len(h.Record.Kept), s), nil
}

// seenHere returns the evidence of this host's local state.
func (a *Repo) seenHere(_ context.Context, h *Head) (string, error) {
	pin, err := a.LoadPin(h.ArchiveID())
	if pin == nil || err != nil {
		return "", err
	}
	return fmt.Sprintf("this host has seen snapshot %d (to have this forgotten, delete %s)",
		pin.Newest.Sequence, a.State.PinPath(h.ArchiveID())), nil
}

// proven returns the evidence of a verification record: the newest one of a time at which there was a snapshot.
func (a *Repo) proven(ctx context.Context, h *Head) (string, error) {
	if !h.HasProofs {
		return "", nil
	}
	all, err := a.Findings.Proofs(ctx)
	if err != nil {
		return "", err
	}
	for _, kind := range []string{manifest.ProofVerify, manifest.ProofDrill} {
		for _, o := range slices.Backward(all[kind]) {
			p, err := a.Findings.ReadProof(ctx, o.Key, kind)
			switch {
			case err != nil:
				return "", err
			case p == nil || p.Archive != h.ArchiveID():
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
func (a *Repo) storedLater(ctx context.Context, greatest int64) (string, error) {
	for _, prefix := range []string{manifest.BundlesPrefix, manifest.DataPrefix, manifest.PagesPrefix} {
		if greatest > 0 {
			break
		}
		first, err := nested.TallyFirst(ctx, a.Objects, prefix, nested.TallyOf)
		if err != nil {
			return "", err
		}
		greatest = max(greatest, first.Greatest)
	}
	now, err := a.RereadLedger(ctx) // a copy may have begun since
	if err != nil || greatest <= nested.FirstSequence(now.Record) {
		return "", err // the first backup stores everything for the first number
	}
	return fmt.Sprintf("there are objects that were stored for snapshot %d", greatest), nil
}
