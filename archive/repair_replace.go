package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// remove takes away what lies in the place of an object of which the right bytes are at hand.
// Finding those may have taken long, and another repair have been faster: what is right by now
// stays.
func (r *repairRun) remove(ctx context.Context, key string, content io.ReaderAt, is store.Sums) error {
	sum, err := r.hash(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && sum == is.SHA256:
		return nil
	case err != nil:
		return err
	}
	switch nested, err := FindNested(ctx, r.store, key); {
	case err != nil:
		return err
	case nested != "":
		return fmt.Errorf("the object may be that of the archive at %s, within this one, and is not deleted: %w", nested, ErrNested)
	}
	// Nothing may be deleted in an archive that has taken this one's place.
	if err := r.confirm(ctx, r.head.rawID); err != nil {
		return err
	}
	if n, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.recordCorrectManifest(ctx, n, content, is); err != nil {
			return err
		}
		if err := r.confirm(ctx, r.head.rawID); err != nil { // that took requests of its own
			return err
		}
	}
	if err := r.store.Delete(ctx, []string{key}); err != nil {
		return fmt.Errorf("deleting what is there: %w", err)
	}
	r.deleted[key] = true
	return nil
}

// recordCorrectManifest has the ledger say which manifest is the right one before another is taken away,
// where nobody would know it otherwise, should the repair end there. Of the newest nothing would
// tell that it was there, and a backup of another host would take its number. One that its child
// has found damaged would be looked for as it was then, which nobody has.
func (r *repairRun) recordCorrectManifest(ctx context.Context, n int64, content io.ReaderAt, is store.Sums) error {
	b := make([]byte, min(is.Size, manifest.MaxManifestBytes))
	if _, err := content.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	how := recordOptions{noID: true}
	if m, err := manifest.DecodeManifest(b, n); err == nil { // else it was stored so
		how.repaired = &m.Summary
	}
	right := is.SHA256
	_, err := r.appendRecord(ctx, how, func(s *ledgerView) (*recordPlan, error) {
		told, otherwise := s.confirmsHash(n, right)
		if s.find(n) == nil || !otherwise && (told || n != s.newestValid()) {
			return nil, nil // the one after it tells, now or once it is mended itself
		}
		what := &recordPlan{why: "verify --repair"}
		for i := range s.valid {
			m := &s.valid[i]
			if m.kept.Sequence == n {
				m.kept.SHA256, m.isUnverifiable = right, false
			}
			what.kept = append(what.kept, m.kept)
		}
		return what, nil
	})
	if err != nil { // such as of others of which no record can say what they should be: these first
		return fmt.Errorf("telling the ledger of a manifest that is to be put back: %w", err)
	}
	return nil
}

// confirmsHash reports whether the ledger, or the next manifest, says that this is a manifest's hash;
// and whether one of them says something else, and the ledger does not settle it.
func (s *ledgerView) confirmsHash(n int64, sum manifest.Hash) (so, otherwise bool) {
	if m := s.find(n); m != nil && m.isInLedger {
		return m.kept.SHA256 == sum, m.kept.SHA256 != sum
	}
	for i := range s.valid {
		if t := s.valid[i].asRead; t != nil && t.Parent != nil && t.Parent.Sequence == n {
			so, otherwise = so || t.Parent.SHA256 == sum, otherwise || t.Parent.SHA256 != sum
		}
	}
	return so, otherwise
}

// stopping is how long a repair that is told to stop goes on with what it has begun.
const stopping = 5 * time.Second

// putAttempts is how often a repair takes away what has come to lie in an object's place.
const putAttempts = 3

// putBack stores the right bytes. A run that is being stopped still ends this, unless it takes
// long: what they take the place of may be deleted already. What lies there before them is read
// back: an attacker who can create objects can forge its size and CRC-32C.
func (r *repairRun) putBack(ctx context.Context, key string, content *stagedObject, sums store.Sums) error {
	putting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		if sleep(putting, stopping) == nil {
			cancel(context.Cause(ctx))
		}
	})
	defer stop()
	_, named := manifest.ParseObjectKey(key) // a manifest may be another run's snapshot
	if _, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.confirm(putting, r.head.rawID); err != nil { // it is a commit
			return err
		}
	}
	for range putAttempts {
		stored, err := r.store.Put(putting, key, content, sums)
		is := right
		switch {
		case errors.Is(err, store.ErrExists) && named:
			is = foreign
		case err != nil:
			return err
		case stored.Existed:
			if is, err = r.compareStored(putting, key, sums, ""); err != nil {
				return err
			}
		}
		switch {
		case is == right:
			delete(r.deleted, key)
			return nil
		case is == foreign && !named:
			return store.ErrExists
		case is == foreign:
			if err := r.remove(putting, key, content, sums); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("something else is created there again and again: %w", store.ErrExists)
}
