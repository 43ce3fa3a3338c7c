package snapshots

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Hold implements the method of archive.Archive.
func Hold(ctx context.Context, a *repo.Repo, which values.Selector, why string) (int64, error) {
	return setHold(ctx, a, which, func(k *manifest.Kept) string {
		switch {
		case why != "":
			k.Held = why
		case k.Held == "":
			k.Held = values.DefaultWhy
		}
		return fmt.Sprintf("hold %d", k.Sequence)
	})
}

// Release implements the method of archive.Archive.
func Release(ctx context.Context, a *repo.Repo, which values.Selector) (int64, error) {
	return setHold(ctx, a, which, func(k *manifest.Kept) string {
		k.Held = ""
		return fmt.Sprintf("release %d", k.Sequence)
	})
}

func setHold(ctx context.Context, a *repo.Repo, which values.Selector, set func(*manifest.Kept) (why string)) (int64, error) {
	defer a.Begin()()
	ctx = store.InOrder(ctx)
	n := which.Sequence
	if n == 0 {
		h, hasManifests, err := a.ReadHead(ctx)
		if err != nil {
			return 0, err
		}
		if !h.Exists() && !hasManifests {
			return 0, a.Nothing(ctx)
		}
		if n, err = Resolve(ctx, a, h, which); err != nil {
			return 0, err
		}
	}
	_, err := a.AppendRecord(ctx, repo.RecordOptions{}, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		m := s.Find(n)
		if m == nil {
			return nil, fmt.Errorf("%w: %d", values.ErrNoSnapshot, n)
		}
		was := m.Kept.Held
		why := set(&m.Kept)
		if m.Kept.Held == was {
			return nil, nil
		}
		return s.KeepAll(why), nil
	})
	return n, err
}
