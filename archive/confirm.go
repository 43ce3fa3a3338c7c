package archive

import (
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// check returns what a guard found as a Refusal, unless it was accepted.
func check(a *values.Acceptance, c values.Confirmation, found error) error {
	if slices.Contains(a.Accept, c.Guard) || slices.Contains(a.Confirmed, c) {
		return nil
	}
	return &values.Refusal{Confirmation: c, Err: found}
}

// refuse returns what a guard found as a Refusal, unless it was accepted for this run. The manifest records what was
// accepted.
func (r *backupRun) refuse(g manifest.Guard, found error) error {
	c := values.Confirmation{Guard: g, Plan: "0"}
	if p := r.head.Parent; p != nil {
		c.Plan = fmt.Sprintf("%d-%s", p.Sequence, p.SHA256.String()[:8])
	}
	if err := check(r.acceptance, c, found); err != nil {
		return err
	}
	if !slices.Contains(r.accepted, g) {
		r.accepted = append(r.accepted, g)
	}
	return nil
}
