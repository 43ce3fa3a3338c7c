package archive

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/store"
)

// ThawPlan is what must be thawed before something can be read.
type ThawPlan struct {
	Objects int64 // frozen objects, with those whose thaw is under way
	Bytes   int64 // their stored bytes; an object is thawed as a whole
	Thawing int64 // objects whose thaw is under way
	// ToRequest are the objects whose thaw is still to be requested, by class. Only these cost anything from now on.
	ToRequest []cost.Frozen
	// Tiers are the tiers that thaw all of ToRequest, and how long each usually takes at most. A tier is absent if one
	// of the classes does not have it. It is empty if nothing is to be requested.
	Tiers []TierTime
}

// TierTime is how long a tier takes.
type TierTime struct {
	Tier    store.ThawTier
	Longest time.Duration // 0 if unknown
	// Days is the default of ThawOptions.Days with this tier: what is thawed first can be read until the last object is
	// thawed, and for two days more. It is 0 if all objects move for good.
	Days int
}

const (
	thawDay = 24 * time.Hour
	// readsFor is how long a copy should last after the last object is thawed, so that all can be read before it ends,
	// and readsAtLeast how long it must last.
	readsFor     = 2 * thawDay
	readsAtLeast = thawDay / 2
	// DefaultThawDays is the least default of ThawOptions.Days.
	DefaultThawDays = 3
)

// daysFor returns the days after which a copy ends that is made at the beginning of a thaw and needed for some time
// after its end.
func daysFor(longest, needed time.Duration) int {
	return int((longest + needed + thawDay - 1) / thawDay)
}

// defaultDays returns the default of ThawOptions.Days for a tier that takes longest at most, or an unknown time (0).
func defaultDays(longest time.Duration) int { return max(DefaultThawDays, daysFor(longest, readsFor)) }

// FrozenError is the error of an operation that would read objects which must be thawed first. It wraps
// store.ErrFrozen. Nothing was requested.
type FrozenError struct{ Plan ThawPlan }

func (e *FrozenError) Error() string {
	p := &e.Plan
	text := fmt.Sprintf("%d objects with %.1f MiB", p.Objects, float64(p.Bytes)/(1<<20))
	if p.Objects == 1 {
		text = fmt.Sprintf("one object with %.1f MiB", float64(p.Bytes)/(1<<20))
	}
	text += " must be thawed before the snapshot can be read"
	if len(p.ToRequest) == 0 {
		return text + "; their thaw is under way"
	}
	var classes []string
	for _, c := range p.ToRequest {
		classes = append(classes, c.Class)
	}
	text = fmt.Sprintf("%s (storage class %s)", text, strings.Join(classes, ", "))
	if p.Thawing > 0 {
		text += fmt.Sprintf("; the thaw of %d of them is under way", p.Thawing)
	}
	var times []string
	for i := range p.Tiers {
		t := &p.Tiers[i]
		times = append(times, fmt.Sprintf("%s: %s", t.Tier, t.Describe()))
	}
	if len(times) == 0 {
		return text + "; no tier thaws all of these classes"
	}
	return text + "; how long a thaw takes depends on its tier (" + strings.Join(times, ", ") + ")"
}

// Unwrap returns store.ErrFrozen.
func (*FrozenError) Unwrap() error { return store.ErrFrozen }

// Describe returns how long the tier takes, in words.
func (t *TierTime) Describe() string {
	switch d := t.Longest; {
	case d == 0:
		return "an unknown time"
	case d < time.Hour:
		return fmt.Sprintf("up to %d minutes", d/time.Minute)
	default:
		return fmt.Sprintf("up to %d hours", d/time.Hour)
	}
}

// planThaw returns what must be thawed; nil if nothing must.
func planThaw(s store.Store, states []*thawState) *ThawPlan {
	thawer, ok := s.(store.Thawer)
	if !ok {
		return nil
	}
	p := &ThawPlan{}
	by := map[string]*cost.Frozen{}
	for _, s := range states {
		if s.isDone() {
			continue
		}
		p.Objects, p.Bytes = p.Objects+1, p.Bytes+s.object.Size
		if s.object.Thawing {
			p.Thawing++
			continue
		}
		class := s.object.Frozen
		if by[class] == nil {
			by[class] = &cost.Frozen{Class: class}
			if times := thawer.ThawTimes(class); len(times) > 0 {
				by[class].CopyClass = times[0].CopyClass
			}
		}
		by[class].Objects, by[class].Bytes = by[class].Objects+1, by[class].Bytes+s.object.Size
	}
	if p.Objects == 0 {
		return nil
	}
	for _, class := range slices.Sorted(maps.Keys(by)) {
		p.ToRequest = append(p.ToRequest, *by[class])
	}
	p.Tiers = commonTiers(thawer, p.ToRequest)
	return p
}

// commonTiers returns the tiers that all classes have, each with the time of the slowest class.
func commonTiers(thawer store.Thawer, classes []cost.Frozen) []TierTime {
	var all []TierTime
	for _, tier := range store.ThawTiers() {
		longest, isKnown, isCommon, isCopied := time.Duration(0), true, len(classes) > 0, false
		for _, c := range classes {
			t, ok := tierTime(thawer, c.Class, tier)
			isCommon = isCommon && ok
			isKnown = isKnown && t.Longest > 0
			isCopied = isCopied || t.CopyClass != ""
			longest = max(longest, t.Longest)
		}
		if !isKnown {
			longest = 0
		}
		days := 0
		if isCopied {
			days = defaultDays(longest)
		}
		if isCommon {
			all = append(all, TierTime{tier, longest, days})
		}
	}
	return all
}

// tierTime returns what a tier promises for a class; false if the class does not have it.
func tierTime(thawer store.Thawer, class string, tier store.ThawTier) (store.ThawTime, bool) {
	times := thawer.ThawTimes(class)
	i := slices.IndexFunc(times, func(t store.ThawTime) bool { return t.Tier == tier })
	if i < 0 {
		return store.ThawTime{}, false
	}
	return times[i], true
}
