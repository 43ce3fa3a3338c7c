package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// primaryProblem is the problem of an object that a repair goes by: that it is not there, or makes no
// sense, before that somebody knows it as another.
func primaryProblem(all []Problem, key string) *Problem {
	var found *Problem
	for i := range all {
		p := &all[i]
		if p.Object == key && (found == nil || found.What == "chain" || found.What == "witness") {
			found = p
		}
	}
	return found
}

// expectedContent is what is known of the bytes that an object should have; an error, if what is there
// is to stay.
func (r *repairRun) expectedContent(ctx context.Context, p *Problem) (want store.Sums, known bool, err error) {
	want, known = r.expected(p.Object)
	n, isManifest := manifest.ParseManifestKey(p.Object)
	if p.What == "missing" || !known && p.What != "chain" && p.What != "witness" {
		return want, known, nil
	}
	sum, err := r.hash(ctx, p.Object)
	there := !errors.Is(err, fs.ErrNotExist)
	switch {
	case there && err != nil:
		return want, known, err
	case !there && !known && p.Was != "": // it is gone, and this host has seen it
		want.SHA256, err = manifest.ParseHash(p.Was)
		return want, err == nil, err
	case !known:
		return want, known, errors.New("nobody knows which is the right one")
	case !there:
	case (p.What == "chain" || p.What == "manifest" && sum != want.SHA256) && isManifest && r.makesSense(ctx, n, sum) && r.isInCopy(ctx, p.Object, sum):
		// The child named it as it found it damaged, and it was put back since and the ledger
		// was not told; or it is the ledger in which a bit has flipped.
		r.correctManifests[n], r.needsRerun, r.mended[p.Object] = sum, true, true
		return want, known, errUndamaged
	case sum != want.SHA256:
	case p.What == "manifest": // who named it found it damaged already
		return want, false, nil
	case isManifest:
		return want, known, errors.New("what is there is what its successor, or the ledger, names")
	default:
		return want, known, errors.New("what is there is what was stored, and what the manifests say of it is wrong")
	}
	return want, known, nil
}

// errUndamaged: nothing is to be put, as only the ledger has to name what is there.
var errUndamaged = errors.New("it is right")

// errOnlyLedgerWrong: it is the same in a later pass of the repair, as the ledger could not name it yet.
var errOnlyLedgerWrong = errors.New("it is right, and the ledger does not name it yet")

// repairObject puts back one object.
func (r *repairRun) repairObject(ctx context.Context, p *Problem) error {
	if n, ok := manifest.ParseManifestKey(p.Object); ok && !r.correctManifests[n].IsZero() {
		if sum, err := r.hash(ctx, p.Object); err == nil && sum == r.correctManifests[n] {
			return errOnlyLedgerWrong
		}
	}
	if r.mended[p.Object] {
		return errors.New("it was put back, and is wrong all the same")
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
	defer content.release()
	if n, ok := manifest.ParseManifestKey(p.Object); ok {
		if err := r.putParentsBack(ctx, n, content, sums.Size); err != nil {
			return err
		}
	}
	if p.What != "missing" || p.Object == manifest.ArchiveKey && r.head.badID {
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
		unlinked := p.What == "witness" && len(r.order) > 0 && r.order[0] > n // who went on without it does not name it
		if renamed || unlinked {
			r.correctManifests[n] = sums.SHA256
		}
		if id := r.head.archiveID(); r.state != nil && id != "" {
			if err := r.state.clearAnomaly(id, p.Object, sums.SHA256); err != nil {
				r.log.Warn("that a manifest was put back is not remembered", "object", p.Object, "error", err)
			}
		}
	}
	return r.check(ctx, p.Object)
}

// makesSense reports whether a manifest with this hash is there, can be read and is of this
// archive: what rot has made of it may be in a copy, too, and no record must name it so.
func (r *repairRun) makesSense(ctx context.Context, n int64, sum manifest.Hash) bool {
	m, is, err := r.readManifest(ctx, n)
	id := r.head.archiveID()
	return err == nil && is == sum && (id == "" || m.Archive == id)
}

// isInCopy reports whether a copy has the same bytes.
func (r *repairRun) isInCopy(ctx context.Context, key string, sum manifest.Hash) bool {
	for _, c := range r.from.Copies {
		if got, err := c.hash(ctx, key); err == nil && got == sum {
			return true
		}
	}
	return false
}

// check reads what was put back as a restore would: it is as it was stored, but that may
// not be what the manifests say of it.
func (r *repairRun) check(ctx context.Context, key string) error {
	n := r.needs[key]
	r.needsRerun = r.needsRerun || n == nil // what it names has not been looked at
	if n == nil || len(n.parts) == 0 {
		return nil
	}
	n.bad = false
	if err := r.readObject(ctx, key, n); err != nil {
		return err
	}
	if n.bad {
		return errors.New("it was put back as it was stored, and what the manifests say of it is wrong")
	}
	return nil
}

// recordManifests writes a record of the ledger with the right hashes of manifests that were put back
// and that their children, or the ledger, had named as they were when they were damaged.
func (r *repairRun) recordManifests(ctx context.Context) error {
	if len(r.correctManifests) == 0 {
		return nil
	}
	_, err := r.appendRecord(ctx, recordOptions{noID: true}, func(s *ledgerView) (*recordPlan, error) {
		what := &recordPlan{why: "verify --repair"}
		for i := range s.valid {
			m := &s.valid[i]
			if sum, ok := r.correctManifests[m.kept.Sequence]; ok {
				m.kept.SHA256, m.isUnverifiable = sum, false
			}
			what.kept = append(what.kept, m.kept)
		}
		return what, nil
	})
	switch {
	case endsRepair(err):
		return fmt.Errorf("naming in the ledger the manifests that were put back: %w", err)
	case err != nil && r.needsRerun && ctx.Err() == nil:
		r.ledgerPending = true // the next pass may put back what the record needs, and then names these
		return nil
	case err != nil:
		return fmt.Errorf("telling the ledger of manifests that were put back: %w", err)
	}
	r.needsRerun = r.needsRerun || r.ledgerPending // a manifest that the ledger names otherwise counts as damaged, and was passed over
	r.ledgerPending = false
	clear(r.correctManifests)
	return nil
}
