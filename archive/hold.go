package archive

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// DefaultWhy is the reason of a hold if the caller gives none.
const DefaultWhy = "held by hand"

// Hold protects a snapshot from every retention until it is released, and returns its number. Listings show why. An
// empty why keeps the reason of an existing hold, and otherwise means DefaultWhy. Errors: ErrNoArchive, ErrNoSnapshot,
// ErrLostRace.
func (a *Archive) Hold(ctx context.Context, which Selector, why string) (int64, error) {
	return a.setHold(ctx, which, func(k *manifest.Kept) string {
		switch {
		case why != "":
			k.Held = why
		case k.Held == "":
			k.Held = DefaultWhy
		}
		return fmt.Sprintf("hold %d", k.Sequence)
	})
}

// Release ends the hold of a snapshot, and returns the snapshot's number. The next prune applies retention alone. A
// snapshot without a hold stays as it is. Errors: as for Hold.
func (a *Archive) Release(ctx context.Context, which Selector) (int64, error) {
	return a.setHold(ctx, which, func(k *manifest.Kept) string {
		k.Held = ""
		return fmt.Sprintf("release %d", k.Sequence)
	})
}

func (a *Archive) setHold(ctx context.Context, which Selector, set func(*manifest.Kept) (why string)) (int64, error) {
	defer a.hold()()
	ctx = store.InOrder(ctx)
	n := which.Sequence
	if n == 0 {
		h, hasManifests, err := a.readHead(ctx)
		if err != nil {
			return 0, err
		}
		if !h.exists() && !hasManifests {
			return 0, a.nothing(ctx)
		}
		if n, err = a.resolve(ctx, h, which); err != nil {
			return 0, err
		}
	}
	_, err := a.appendRecord(ctx, recordOptions{}, func(s *ledgerView) (*recordPlan, error) {
		m := s.find(n)
		if m == nil {
			return nil, fmt.Errorf("%w: %d", ErrNoSnapshot, n)
		}
		was := m.kept.Held
		why := set(&m.kept)
		if m.kept.Held == was {
			return nil, nil
		}
		return s.keepAll(why), nil
	})
	return n, err
}

// keepAll plans a record that keeps every valid snapshot.
func (s *ledgerView) keepAll(why string) *recordPlan {
	what := &recordPlan{why: why}
	for i := range s.valid {
		what.kept = append(what.kept, s.valid[i].kept)
	}
	return what
}
