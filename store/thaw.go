package store

import (
	"context"
	"errors"
	"time"
)

// A ThawTier is how fast a service thaws objects. Most services charge more for a faster one.
type ThawTier string

// The tiers. A service may have fewer for some classes.
const (
	ThawStandard  ThawTier = "standard"  // within hours
	ThawBulk      ThawTier = "bulk"      // later, and mostly cheapest
	ThawExpedited ThawTier = "expedited" // within minutes or an hour, and dearest
)

// ThawTiers returns all tiers, the default first.
func ThawTiers() []ThawTier { return []ThawTier{ThawStandard, ThawBulk, ThawExpedited} }

// ThawTime is what a tier promises for the objects of one class.
type ThawTime struct {
	Tier    ThawTier
	Longest time.Duration // how long a thaw usually takes at most; 0 if that is unknown
	// CopyClass is the class whose price a temporary copy costs while it can be read. It is empty if the service makes
	// none, but moves the object for good.
	CopyClass string
}

// ThawRequest is how an object is to be thawed.
type ThawRequest struct {
	Tier ThawTier
	Days int // how long a temporary copy can be read; a service that moves the object for good ignores it
}

// Thawer is an optional interface for stores with storage classes from which objects must be thawed. Stat reports how
// far a thaw is (Object.Frozen, Thawing and ThawedUntil). All methods are safe for concurrent use.
type Thawer interface {
	// Thaw requests that an object is thawed, and returns before that is done. o is what Stat returned. Success may
	// also mean that a thaw is under way, or that the object could be read and can be for longer now. ErrNoThawCapacity
	// means that the service accepts no thaw of this tier now.
	Thaw(ctx context.Context, o Object, r ThawRequest) error
	// ThawTimes returns the tiers for the objects of a class, which is an Object's Frozen. It sends no request.
	ThawTimes(class string) []ThawTime
	// MayBeFrozen reports whether an object that a listing shows with this Class may have to be thawed. Only Stat
	// shows whether it must be now.
	MayBeFrozen(class string) bool
}

// Freezer is an optional interface for stores whose settings may select a class from which objects must be thawed.
type Freezer interface {
	// FrozenClass returns the class in which Put stores log content, if it must be thawed before it can be read;
	// otherwise it returns "". Put stores all other objects in a class that can be read.
	FrozenClass() string
}

// FrozenClass returns the class in which a store freezes new log content; "" if it can be read at once.
func FrozenClass(s Store) string {
	if f, ok := s.(Freezer); ok {
		return f.FrozenClass()
	}
	return ""
}

// ErrNoThawCapacity means that a service has no capacity for thaws of a tier at present.
var ErrNoThawCapacity = errors.New("the service has no capacity for thaws of this tier now")
