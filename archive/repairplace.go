package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// remove takes away what lies in the place of an object of which the right bytes are at hand.
// Finding those may have taken long, and another repair have been faster: what is right by now
// stays.
func (r *repairing) remove(ctx context.Context, key string, right manifest.Hash) error {
	sum, err := r.hash(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && sum == right:
		return nil
	case err != nil:
		return err
	}
	if n, isManifest := manifest.ParseManifestKey(key); isManifest {
		if err := r.keepNumber(ctx, n, right); err != nil {
			return err
		}
	}
	if err := r.store.Delete(ctx, []string{key}); err != nil {
		return fmt.Errorf("deleting what is there: %w", err)
	}
	return nil
}

// keepNumber has the ledger name the newest manifest before that is taken away for a moment:
// a backup of another host would take its number else, and there would be no place any more to
// put it back to.
func (r *repairing) keepNumber(ctx context.Context, n int64, sum manifest.Hash) error {
	if r.head.record != nil && n <= r.head.record.Newest {
		return nil
	}
	_, err := r.amend(ctx, amending{}, func(s *standing) (*amendment, error) {
		if s.newestValid() != n {
			return nil, nil // there is a later one, which keeps it as well
		}
		what := &amendment{why: "verify --repair"}
		for i := range s.valid {
			m := &s.valid[i]
			if m.kept.Sequence == n {
				m.kept.SHA256, m.lost = sum, false
			}
			what.kept = append(what.kept, m.kept)
		}
		return what, nil
	})
	if err != nil && !errors.Is(err, ErrDamaged) { // of others, of which no record can say what they should be
		return fmt.Errorf("telling the ledger of a manifest that is to be put back: %w", err)
	}
	return nil
}

// stopping is how long a repair that is told to stop goes on with what it has begun.
const stopping = 5 * time.Second

// putBack stores the right bytes. A run that is being stopped still ends this, unless it takes
// long: what they take the place of may be deleted already.
func (r *repairing) putBack(ctx context.Context, key string, content *copyContent, sums Sums) error {
	putting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		if sleep(putting, stopping) == nil {
			cancel(context.Cause(ctx))
		}
	})
	defer stop()
	_, err := r.store.Put(putting, key, content, sums)
	return err
}
