package values

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A Confirmation accepts one finding of one guard, once. Plan identifies the state of the archive in which the guard
// refused and, for a prune, also what it would remove. Any commit changes that state and makes the confirmation
// invalid.
type Confirmation struct {
	Guard manifest.Guard
	Plan  string // opaque, of letters, digits and hyphens
}

// String is the form that ParseConfirmation reads: "rollback:41-0a1b2c3d".
func (c Confirmation) String() string { return string(c.Guard) + ":" + c.Plan }

// ParseConfirmation reads what String returns.
func ParseConfirmation(s string) (Confirmation, error) {
	guard, plan, ok := strings.Cut(s, ":")
	g := manifest.Guard(guard)
	valid := func(r rune) bool { return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }
	if !ok || plan == "" || len(plan) > 64 || strings.ContainsFunc(plan, func(r rune) bool { return !valid(r) }) || !slices.Contains(Guards(), g) {
		return Confirmation{}, fmt.Errorf("%.80q is not a confirmation such as rollback:41-0a1b2c3d", s)
	}
	return Confirmation{g, plan}, nil
}

// Guards returns all guards whose findings an operator can accept.
func Guards() []manifest.Guard {
	return []manifest.Guard{
		manifest.GuardRollback, manifest.GuardTakeOver, manifest.GuardMissing, manifest.GuardFork,
		manifest.GuardNested, manifest.GuardPrune,
	}
}

// A Refusal is the error of a guard. An operator may accept the finding for one run by the guard's name, in Accept. The
// Confirmation accepts it for this state of the archive alone.
type Refusal struct {
	Confirmation
	Err error // what the guard found
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns what the guard found, which wraps an error such as ErrRolledBack.
func (r *Refusal) Unwrap() error { return r.Err }

// Acceptance is what an operator has accepted before a run.
type Acceptance struct {
	Accept    []manifest.Guard // guards whose findings are accepted, whatever they are
	Confirmed []Confirmation   // earlier findings, accepted if the archive has not changed since
}
