package guard

import (
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

func (r *Source) Warn(format string, a ...any) {
	r.Mu.Lock()
	defer r.Mu.Unlock()
	r.Res.Warnings = append(r.Res.Warnings, fmt.Sprintf(format, a...))
}

// CheckAcceptance returns what a guard found as a Refusal, unless it was accepted.
func CheckAcceptance(a *values.Acceptance, c values.Confirmation, found error) error {
	if slices.Contains(a.Accept, c.Guard) || slices.Contains(a.Confirmed, c) {
		return nil
	}
	return &values.Refusal{Confirmation: c, Err: found}
}

// refuse returns what a guard found as a Refusal, unless it was accepted for this run. The manifest records what was
// accepted.
func (r *Source) refuse(g manifest.Guard, found error) error {
	c := values.Confirmation{Guard: g, Plan: "0"}
	if p := r.Head.Parent; p != nil {
		c.Plan = fmt.Sprintf("%d-%s", p.Sequence, p.SHA256.String()[:8])
	}
	if err := CheckAcceptance(r.Acceptance, c, found); err != nil {
		return err
	}
	if !slices.Contains(r.Accepted, g) {
		r.Accepted = append(r.Accepted, g)
	}
	return nil
}
