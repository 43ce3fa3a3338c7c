package checker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// primaryProblem picks the problem of an object that a repair acts on: missing or unreadable before a hash
// mismatch.
func primaryProblem(all []values.Problem, key string) *values.Problem {
	var found *values.Problem
	for i := range all {
		p := &all[i]
		if p.Object == key && (found == nil || found.Kind == values.ProblemChain || found.Kind == values.ProblemLocalState) {
			found = p
		}
	}
	return found
}

// expectedContent returns the known checksums of an object's correct bytes. It returns an error if the existing
// object must stay.
func (r *repairRun) expectedContent(ctx context.Context, p *values.Problem) (want store.Sums, known bool, err error) {
	want, known = r.expected(p.Object)
	n, isManifest := manifest.ParseManifestKey(p.Object)
	if p.Kind == values.ProblemMissing || !known && p.Kind != values.ProblemChain && p.Kind != values.ProblemLocalState {
		return want, known, nil
	}
	sum, err := r.repo.Hash(ctx, p.Object, max(want.Size, manifest.MaxManifestBytes))
	there := !errors.Is(err, fs.ErrNotExist)
	switch {
	case there && err != nil:
		return want, known, err
	case !there && !known && p.Was != "": // it is missing, and the local state has its hash
		want.SHA256, err = manifest.ParseHash(p.Was)
		return want, err == nil, err
	case !known:
		return want, known, errors.New("the correct hash is unknown")
	case !there:
	case (p.Kind == values.ProblemChain || p.Kind == values.ProblemManifest && sum != want.SHA256) && isManifest && r.makesSense(ctx, n, sum) && r.isInCopy(ctx, p.Object, sum):
		// Either the child recorded the hash of the damaged manifest, which was restored since without a new
		// ledger record, or a bit has flipped in the ledger.
		r.correctManifests[n], r.needsRerun, r.mended[p.Object] = sum, true, true
		return want, known, errUndamaged
	case sum != want.SHA256:
	case p.Kind == values.ProblemManifest: // the child or the ledger recorded the hash of the damaged manifest
		return want, false, nil
	case isManifest:
		return want, known, errors.New("its hash is the one that its child or the ledger names")
	default:
		return want, known, errors.New("it has the bytes that were stored, and the manifests' entries for it are wrong")
	}
	return want, known, nil
}

// errUndamaged: the object is intact, and only the ledger has to be corrected.
var errUndamaged = errors.New("it is intact")

// errOnlyLedgerWrong is errUndamaged in a later pass of the repair, before the ledger could be corrected.
var errOnlyLedgerWrong = errors.New("it is intact, and the ledger does not name it yet")

// repairObject restores one object.
func (r *repairRun) repairObject(ctx context.Context, p *values.Problem) error {
	if n, ok := manifest.ParseManifestKey(p.Object); ok && !r.correctManifests[n].IsZero() {
		if sum, err := r.repo.Hash(ctx, p.Object, manifest.MaxManifestBytes); err == nil && sum == r.correctManifests[n] {
			return errOnlyLedgerWrong
		}
	}
	if r.mended[p.Object] {
		return errors.New("it was restored, and is still wrong")
	}
	want, known, err := r.expectedContent(ctx, p)
	if errors.Is(err, errUndamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	content, sums, err := r.find(ctx, p.Object, want, known)
	if err != nil && p.Object == manifest.ArchiveKey {
		content, sums, err = r.restateID(err)
	}
	if err != nil {
		return err
	}
	defer content.Release()
	if n, ok := manifest.ParseManifestKey(p.Object); ok {
		if err := r.putParentsBack(ctx, n, content, sums.Size); err != nil {
			return err
		}
	}
	if p.Kind != values.ProblemMissing || p.Object == manifest.ArchiveKey && r.head.BadID {
		if err := r.remove(ctx, p.Object, content, sums); err != nil {
			return err
		}
	}
	if err := r.putBack(ctx, p.Object, content, sums); err != nil {
		return err
	}
	r.mended[p.Object] = true
	if p.Object == manifest.ArchiveKey {
		r.noteID(sums.SHA256)
	}
	if n, ok := manifest.ParseManifestKey(p.Object); ok {
		renamed := sums.SHA256 != want.SHA256 && !want.SHA256.IsZero()
		unlinked := p.Kind == values.ProblemLocalState && len(r.order) > 0 && r.order[0] > n // a later backup continued without it
		if renamed || unlinked {
			r.correctManifests[n] = sums.SHA256
		}
		if id := r.head.ArchiveID(); r.repo.State != nil && id != "" {
			if err := r.repo.State.ClearAnomaly(id, p.Object, sums.SHA256); err != nil {
				const unsaved = "could not save in the local state that a manifest was restored"
				r.repo.Log.Warn(unsaved, "object", p.Object, "error", err)
			}
		}
	}
	return r.check(ctx, p.Object)
}

// makesSense reports whether a manifest with this hash exists, is readable and belongs to this archive. Bit rot
// may have spread to a copy, and no record may name the hash of rotten bytes.
func (r *repairRun) makesSense(ctx context.Context, n int64, sum manifest.Hash) bool {
	m, is, err := r.repo.ReadManifest(ctx, n)
	id := r.head.ArchiveID()
	return err == nil && is == sum && (id == "" || m.Archive == id)
}

// isInCopy reports whether a copy has the same bytes.
func (r *repairRun) isInCopy(ctx context.Context, key string, sum manifest.Hash) bool {
	for _, c := range r.from.Copies {
		if got, err := c.Hash(ctx, key, manifest.MaxManifestBytes); err == nil && got == sum {
			return true
		}
	}
	return false
}

// check reads a restored object as a restore would. The object has the bytes that were stored, but the
// manifests' entries for it may be wrong.
func (r *repairRun) check(ctx context.Context, key string) error {
	n := r.needs[key]
	r.needsRerun = r.needsRerun || n == nil // the objects that it names are not checked yet
	if n == nil || len(n.parts) == 0 {
		return nil
	}
	n.bad = false
	if err := r.readObject(ctx, key, n); err != nil {
		return err
	}
	if n.bad {
		return errors.New("it was restored as it was stored, and the manifests' entries for it are wrong")
	}
	return nil
}

// recordManifests writes a ledger record with the correct hashes of restored manifests. It is for manifests
// whose damaged bytes' hash was recorded in their children or the ledger.
func (r *repairRun) recordManifests(ctx context.Context) error {
	if len(r.correctManifests) == 0 {
		return nil
	}
	_, err := r.repo.AppendRecord(ctx, repo.RecordOptions{NoID: true}, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		what := &repo.RecordPlan{Why: "verify --repair"}
		for i := range s.Valid {
			m := &s.Valid[i]
			if sum, ok := r.correctManifests[m.Kept.Sequence]; ok {
				m.Kept.SHA256, m.IsUnverifiable = sum, false
			}
			what.Kept = append(what.Kept, m.Kept)
		}
		return what, nil
	})
	switch {
	case endsRepair(err):
		return fmt.Errorf("recording the restored manifests in the ledger: %w", err)
	case err != nil && r.needsRerun && ctx.Err() == nil:
		r.ledgerPending = true // the next pass may restore what the record needs, and then records these
		return nil
	case err != nil:
		return fmt.Errorf("recording the restored manifests in the ledger: %w", err)
	}
	// Manifests with another hash in the ledger counted as damaged, and this pass has skipped them.
	r.needsRerun = r.needsRerun || r.ledgerPending
	r.ledgerPending = false
	clear(r.correctManifests)
	return nil
}
