package thaw

import (
	"maps"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	thawDay = 24 * time.Hour
	// readsFor is how long a copy should last after the last object is thawed, so that all can be read before it ends,
	// and readsAtLeast how long it must last.
	readsFor     = 2 * thawDay
	readsAtLeast = thawDay / 2
)

// daysFor returns the days after which a copy ends that is made at the beginning of a thaw and needed for some time
// after its end.
func daysFor(longest, needed time.Duration) int {
	return int((longest + needed + thawDay - 1) / thawDay)
}

// defaultDays returns the default of ThawOptions.Days for a tier that takes longest at most, or an unknown time (0).
func defaultDays(longest time.Duration) int {
	return max(values.DefaultThawDays, daysFor(longest, readsFor))
}

// PlanThaw returns what must be thawed; nil if nothing must.
func PlanThaw(s store.Store, states []*State) *values.ThawPlan {
	thawer, ok := s.(store.Thawer)
	if !ok {
		return nil
	}
	p := &values.ThawPlan{}
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
func commonTiers(thawer store.Thawer, classes []cost.Frozen) []values.TierTime {
	var all []values.TierTime
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
			all = append(all, values.TierTime{Tier: tier, Longest: longest, Days: days})
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
