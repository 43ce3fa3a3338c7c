package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
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
	switch within, err := nested.FindNested(ctx, r.repo.Store, key); {
	case err != nil:
		return err
	case within != "":
		return fmt.Errorf("the object may belong to the archive at %s, within this one, and is not deleted: %w",
			within, values.ErrNested)
	}
	// If another archive has replaced this one, nothing may be deleted.
	if err := r.repo.Confirm(ctx, r.head.RawID); err != nil {
		return err
	}
	if n, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.recordCorrectManifest(ctx, n, content, is); err != nil {
			return err
		}
		if err := r.repo.Confirm(ctx, r.head.RawID); err != nil { // again, since the record took several requests
			return err
		}
	}
	if err := r.repo.Store.Delete(ctx, []store.Object{damaged}); err != nil {
		return fmt.Errorf("deleting the damaged object: %w", err)
	}
	r.deleted[key] = true
	return nil
}

// stillDamaged reads an object. isRight is set if it has its correct content or is gone. It requests the version
// before it reads: an object that replaces it in between has another version.
func (r *repairRun) stillDamaged(ctx context.Context, key string, is store.Sums) (o store.Object, isRight bool, err error) {
	o, err = r.repo.Store.Stat(ctx, key)
	var sum manifest.Hash
	if err == nil {
		sum, err = r.repo.Hash(ctx, key, max(is.Size, manifest.MaxManifestBytes))
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
	how := repo.RecordOptions{NoID: true}
	if m, err := manifest.DecodeManifest(b, n); err == nil { // otherwise it was stored with this error
		how.Repaired = new(m.Summary)
	}
	right := is.SHA256
	_, err := r.repo.AppendRecord(ctx, how, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		confirmed, otherwise := confirmsHash(s, n, right)
		if s.Find(n) == nil || !otherwise && (confirmed || n != s.NewestValid()) {
			return nil, nil // the next manifest names the hash, now or once it is repaired itself
		}
		what := &repo.RecordPlan{Why: "verify --repair"}
		for i := range s.Valid {
			m := &s.Valid[i]
			if m.Kept.Sequence == n {
				m.Kept.SHA256, m.IsUnverifiable = right, false
			}
			what.Kept = append(what.Kept, m.Kept)
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
func confirmsHash(s *repo.LedgerView, n int64, sum manifest.Hash) (so, otherwise bool) {
	if m := s.Find(n); m != nil && m.IsInLedger {
		return m.Kept.SHA256 == sum, m.Kept.SHA256 != sum
	}
	for i := range s.Valid {
		if t := s.Valid[i].AsRead; t != nil && t.Parent != nil && t.Parent.Sequence == n {
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
func (r *repairRun) putBack(ctx context.Context, key string, content *staging.Object, sums store.Sums) error {
	putting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		if objects.Sleep(putting, stopping) == nil {
			cancel(context.Cause(ctx))
		}
	})
	defer stop()
	_, named := manifest.ParseObjectKey(key) // a manifest may be another run's snapshot
	if _, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.repo.Confirm(putting, r.head.RawID); err != nil { // it is a commit
			return err
		}
	}
	at, err := r.repo.Place(putting, &objects.Placement{
		Body: content, Sums: sums, Tries: putAttempts, Key: func(int) string { return key }, Read: true,
		Refused: func(_ context.Context, _ string, err error) (objects.Presence, error) {
			if errors.Is(err, store.ErrExists) && named {
				return objects.Foreign, nil
			}
			return objects.Absent, err
		},
		Again: func(at objects.Placed) error {
			switch {
			case at.Is == objects.Unread:
				return at.Err
			case at.Is == objects.Foreign && !named:
				return store.ErrExists
			case at.Is == objects.Foreign:
				return r.remove(putting, key, content, sums)
			}
			return nil
		},
	})
	switch {
	case err != nil:
		return err
	case at.Is != objects.Right:
		return fmt.Errorf("another object appears under the key again and again: %w", store.ErrExists)
	}
	delete(r.deleted, key)
	return nil
}
