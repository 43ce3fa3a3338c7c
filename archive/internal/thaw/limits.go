package thaw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// checkTier returns ErrNoThaw if a class does not have the tier. It is called before any request.
func (t *thawRun) checkTier(states []*State) error {
	if !slices.Contains(store.ThawTiers(), t.request.Tier) {
		return fmt.Errorf("there is no tier %q; choose one of %v: %w", t.request.Tier, store.ThawTiers(), values.ErrNoThaw)
	}
	for _, s := range states {
		if s.isDone() || s.object.Thawing {
			continue
		}
		if _, ok := tierTime(t.thawer, s.object.Frozen, t.request.Tier); !ok {
			var others []store.ThawTier
			for _, o := range t.thawer.ThawTimes(s.object.Frozen) {
				others = append(others, o.Tier)
			}
			return fmt.Errorf("objects of the storage class %s have no tier %s; choose one of %v: %w",
				s.object.Frozen, t.request.Tier, others, values.ErrNoThaw)
		}
	}
	return nil
}

// chooseDays sets how long temporary copies last, and returns ErrNoThaw if the first could end before all are thawed
// and read. It is called before any request.
func (t *thawRun) chooseDays(states []*State) error {
	var longest time.Duration
	var class string
	for _, s := range states {
		if s.isDone() || s.object.Thawing {
			continue
		}
		if p, _ := tierTime(t.thawer, s.object.Frozen, t.request.Tier); p.CopyClass != "" && p.Longest >= longest {
			longest, class = p.Longest, s.object.Frozen
		}
	}
	least := daysFor(longest, readsAtLeast)
	switch days := t.request.Days; {
	case days == 0:
		t.request.Days = defaultDays(longest)
	case days < 0 || days > values.MaxThawDays:
		return fmt.Errorf("a thawed copy cannot be kept for %d days; choose 1 to %d: %w", days, values.MaxThawDays, values.ErrNoThaw)
	case days < least && class != "":
		return fmt.Errorf("copies that last for %d days may end before the last object of the storage class %s is thawed, "+
			"which takes up to %d hours with the tier %s, and read; choose at least %d days: %w",
			days, class, longest/time.Hour, t.request.Tier, least, values.ErrNoThaw)
	}
	return nil
}

// mostTime returns how long the thaw of some objects may take. What is under way may have been requested with any tier.
func (t *thawRun) mostTime(states []*State) time.Duration {
	var longest time.Duration
	for _, s := range states {
		if s.isDone() {
			continue
		}
		for _, p := range t.thawer.ThawTimes(s.object.Frozen) {
			if p.Tier != t.request.Tier && !s.object.Thawing {
				continue
			}
			if longest = max(longest, p.Longest); p.Longest == 0 {
				return thawUnknown
			}
		}
	}
	return 2*longest + thawMargin
}

// checkOverdue returns an error if the thaw of an object takes longer than the service's longest thaws. A round may not
// have read the object's state for long, so checkOverdue reads it again.
func (t *thawRun) checkOverdue(ctx context.Context, began time.Time) error {
	defer func() { t.pending = slices.DeleteFunc(t.pending, (*State).isDone) }()
	for _, s := range t.pending {
		since := s.requested
		switch {
		case !s.object.Thawing && since.IsZero(): // for lack of capacity, which judge bounds
			continue
		case since.IsZero():
			since = began
		}
		waited := time.Since(since)
		if waited <= t.most {
			continue
		}
		switch err := readThaw(ctx, t.objects, s); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !errors.Is(err, store.ErrTransient):
			return err
		case err == nil && !s.isDone() && s.object.Thawing:
			return fmt.Errorf("%d objects are still not thawed, %s among them, after %d hours, which is longer than the "+
				"service documents; find out there whether their thaw is under way; the same command goes on: %w",
				len(t.pending), s.object.Key, waited/time.Hour, store.ErrFrozen)
		}
	}
	return nil
}
