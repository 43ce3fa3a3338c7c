package archive

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
	if !ok || plan == "" || len(plan) > 64 || strings.ContainsFunc(plan, func(r rune) bool { return !valid(r) }) || !slices.Contains(guards(), g) {
		return Confirmation{}, fmt.Errorf("%.80q is not a confirmation such as rollback:41-0a1b2c3d", s)
	}
	return Confirmation{g, plan}, nil
}

// guards returns all guards whose findings an operator can accept.
func guards() []manifest.Guard {
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

// check returns what a guard found as a Refusal, unless it was accepted.
func (a *Acceptance) check(c Confirmation, found error) error {
	if slices.Contains(a.Accept, c.Guard) || slices.Contains(a.Confirmed, c) {
		return nil
	}
	return &Refusal{c, found}
}

// refuse returns what a guard found as a Refusal, unless it was accepted for this run. The manifest records what was
// accepted.
func (r *backupRun) refuse(g manifest.Guard, found error) error {
	c := Confirmation{Guard: g, Plan: "0"}
	if p := r.head.parent; p != nil {
		c.Plan = fmt.Sprintf("%d-%s", p.Sequence, p.SHA256.String()[:8])
	}
	if err := r.o.check(c, found); err != nil {
		return err
	}
	if !slices.Contains(r.accepted, g) {
		r.accepted = append(r.accepted, g)
	}
	return nil
}
