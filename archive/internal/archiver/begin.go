package archiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// checkBeginning refuses to begin an archive within or around another one, unless an operator accepts that: an outsider's
// object can look like the other archive. It returns the guard that was accepted.
func checkBeginning(ctx context.Context, a *repo.Repo, o *Options, res *values.BackupResult) ([]manifest.Guard, error) {
	warning, err := nested.CheckApart(ctx, a.Objects)
	switch {
	case errors.Is(err, values.ErrNested):
		err = fmt.Errorf("%w; if it is an outsider's object, accept the finding or delete it", err)
		if err := guard.CheckAcceptance(&o.BackupOptions.Acceptance, values.Confirmation{Guard: manifest.GuardNested, Plan: nested.NestedPlan(err)}, err); err != nil {
			return nil, err
		}
		return []manifest.Guard{manifest.GuardNested}, nil
	case err != nil:
		return nil, err
	case warning != "":
		res.Warnings = append(res.Warnings, warning)
	}
	return nil, nil
}

// identity returns the archive's id, and creates archive.json for the first snapshot.
func (r *backupRun) identity(ctx context.Context) (string, error) {
	if id := r.src.Head.ArchiveID(); id != "" {
		if r.src.Head.Greatest == 0 {
			return id, CheckGuarantees(ctx, r.repo, r.src.Head.RawID, false)
		}
		return id, nil
	}
	if r.src.Head.IsFresh() { // the manifest alone has the id, until a repair replaces archive.json
		return uuid.NewString(), nil
	}
	if err := r.src.Head.CheckUnknownID(); err != nil {
		return "", err
	}
	who := manifest.Archive{Format: manifest.Format, ID: uuid.NewString(), Created: time.Now().UTC(), Layout: r.src.Layout.Name()}
	if len(r.recipients()) > 0 {
		who.Format = manifest.Format2 // older programs refuse the archive, and not only its manifests
	}
	b, err := who.Encode()
	if err != nil {
		return "", err
	}
	_, err = r.repo.PutBytes(ctx, manifest.ArchiveKey, b)
	if errors.Is(err, store.ErrExists) {
		return "", repo.ErrRaced // another writer created it first, and its id must be read
	}
	if err != nil {
		return "", fmt.Errorf("creating %s: %w", manifest.ArchiveKey, err)
	}
	r.repo.RememberID(b)
	r.rawID = b
	return who.ID, CheckGuarantees(ctx, r.repo, b, true)
}

// passBlocked passes over the numbers whose manifests something blocks. The next snapshot then references nothing of
// the base: another writer may have made a snapshot in between, before the thing came or after it was removed.
func passBlocked(ctx context.Context, a *repo.Repo, h *repo.Head) error {
	for first := h.NextSequence(); ; {
		n := h.NextSequence()
		blocked, err := a.FindBlock(ctx, manifest.ManifestKey(n))
		switch {
		case err != nil:
			return err
		case blocked == nil:
			return nil
		case !blocked.AtKey || n == manifest.MaxCounted:
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
		if n < first+repo.MostShown {
			h.Warn("%v; no snapshot gets the number %d, and the next one stores everything once more", blocked, n)
		}
		h.Passed = n
	}
}

// checkBlocked passes over blocked numbers, and returns the error of a backup that something blocks. What keeps only
// the ledger from being written is a warning.
func checkBlocked(ctx context.Context, a *repo.Repo, h *repo.Head) error {
	if err := passBlocked(ctx, a, h); err != nil {
		return err
	}
	for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix} {
		if blocked, err := a.FindBlock(ctx, prefix+repo.FirstBelow); err != nil {
			return err
		} else if blocked != nil && !blocked.AtKey {
			return fmt.Errorf("no snapshot can be made: %w", blocked)
		}
	}
	blocked, err := a.FindBlock(ctx, manifest.LedgerKey(h.Ledger.Number+1))
	if err == nil && blocked != nil {
		h.Warn("%v; until then nothing is pruned or held", blocked)
	}
	return err
}
