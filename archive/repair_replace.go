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

// remove deletes a damaged object once its replacement is available. It reads the object again first, since
// another repair may have fixed it in the meantime. It deletes only the version that it has read: if another repair
// fixes the object after that, the delete fails, also if it arrives late, and remove reads again.
func (r *repairRun) remove(ctx context.Context, key string, content io.ReaderAt, is store.Sums) error {
	for range putAttempts {
		if err := r.removeRead(ctx, key, content, is); !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("deleting the damaged object: it is replaced again and again: %w", store.ErrChanged)
}

// removeRead returns ErrChanged if the object was replaced after it was read.
func (r *repairRun) removeRead(ctx context.Context, key string, content io.ReaderAt, is store.Sums) error {
	damaged, isRight, err := r.stillDamaged(ctx, key, is)
	if err != nil || isRight {
		return err
	}
	switch within, err := FindNested(ctx, r.store, key); {
	case err != nil:
		return err
	case within != "":
		return fmt.Errorf("the object may belong to the archive at %s, within this one, and is not deleted: %w",
			within, ErrNested)
	}
	// If another archive has replaced this one, nothing may be deleted.
	if err := r.confirm(ctx, r.head.rawID); err != nil {
		return err
	}
	if n, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.recordCorrectManifest(ctx, n, content, is); err != nil {
			return err
		}
		if err := r.confirm(ctx, r.head.rawID); err != nil { // again, since the record took several requests
			return err
		}
	}
	if err := r.store.Delete(ctx, []store.Object{damaged}); err != nil {
		return fmt.Errorf("deleting the damaged object: %w", err)
	}
	r.deleted[key] = true
	return nil
}

// stillDamaged reads an object. isRight is set if it has its correct content or is gone. It requests the version
// before it reads: an object that replaces it in between has another version.
func (r *repairRun) stillDamaged(ctx context.Context, key string, is store.Sums) (o store.Object, isRight bool, err error) {
	o, err = r.store.Stat(ctx, key)
	var sum manifest.Hash
	if err == nil {
		sum, err = r.hash(ctx, key, max(is.Size, manifest.MaxManifestBytes))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && sum == is.SHA256:
		return o, true, nil
	case err != nil:
		return o, false, fmt.Errorf("reading the damaged object again: %w", err)
	}
	return o, false, nil
}

// recordCorrectManifest records a manifest's correct hash in the ledger before the damaged manifest is deleted,
// so that an interrupted repair can be resumed. It does so only if no other object would state the hash:
//
//   - No object names the newest manifest, and a backup on another host would take its number.
//   - A child may name the hash of the damaged manifest. A later repair would then search for bytes that no
//     source has.
func (r *repairRun) recordCorrectManifest(ctx context.Context, n int64, content io.ReaderAt, is store.Sums) error {
	b := make([]byte, min(is.Size, manifest.MaxManifestBytes))
	if _, err := content.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	how := recordOptions{noID: true}
	if m, err := manifest.DecodeManifest(b, n); err == nil { // otherwise it was stored with this error
		how.repaired = new(m.Summary)
	}
	right := is.SHA256
	_, err := r.appendRecord(ctx, how, func(s *ledgerView) (*recordPlan, error) {
		confirmed, otherwise := s.confirmsHash(n, right)
		if s.find(n) == nil || !otherwise && (confirmed || n != s.newestValid()) {
			return nil, nil // the next manifest names the hash, now or once it is repaired itself
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
	if err != nil { // for example, the correct hash of another manifest is unknown, and that has to be repaired first
		return fmt.Errorf("recording in the ledger a manifest that is to be restored: %w", err)
	}
	return nil
}

// confirmsHash reports whether the ledger or the next manifest names this hash for a manifest, and whether one
// of them names another. If the ledger names a hash, only the ledger counts.
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

// stopping is how long a repair whose context has ended continues to store the object that it has begun.
const stopping = 5 * time.Second

// putAttempts is how often a repair deletes a foreign object that appears under the key.
const putAttempts = 3

// putBack stores the correct bytes of an object. It continues for the time of stopping after its context has
// ended, since the damaged object may be deleted already. It reads back an object that already exists under the
// key: an attacker who can create objects can forge its size and CRC-32C.
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
	return fmt.Errorf("another object appears under the key again and again: %w", store.ErrExists)
}
