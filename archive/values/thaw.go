package values

import (
	"fmt"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/store"
)

// MaxThawDays is the greatest ThawOptions.Days. A copy that is needed for longer belongs into another class.
const MaxThawDays = 365

// ThawOptions configures a thaw. The zero value is ready for use.
type ThawOptions struct {
	Tier store.ThawTier // empty: store.ThawStandard
	// Days is how many days a temporary copy can be read, at most MaxThawDays. 0 is the default of TierTime.Days. Where
	// objects move for good, it has no meaning.
	Days int
}

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
	// DefaultThawDays is the least default of ThawOptions.Days.
	DefaultThawDays = 3
)

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
