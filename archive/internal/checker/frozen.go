package checker

import (
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// noteFrozen counts an object that the listing shows in a class from which it must be thawed.
func (v *verifyRun) noteFrozen(o *store.Object, n *need) {
	if thawer, ok := v.repo.Store.(store.Thawer); ok {
		n.unsure = thawer.MayBeFrozen(o.Class)
	}
	if n.frozen = o.Frozen != ""; !n.frozen {
		return
	}
	v.report.Frozen++
	if !slices.Contains(v.report.FrozenClasses, o.Frozen) {
		v.report.FrozenClasses = append(v.report.FrozenClasses, o.Frozen)
	}
}

// thawNeeds thaws what is to be read back, if the options have a tier for it.
func (v *verifyRun) thawNeeds(ctx context.Context) error {
	if v.o.Thaw == nil || !v.o.ReadData || !thaw.IsPossible(v.repo.Objects) {
		return nil
	}
	reads := map[string]*values.ObjectRead{}
	for key, n := range v.needs {
		if len(n.parts) > 0 && n.found && !n.bad && !n.read && (n.frozen || n.unsure) {
			reads[key] = &values.ObjectRead{Key: key, Frozen: true}
		}
	}
	var states []*thaw.State
	err := thaw.Patiently(ctx, v.repo.Objects, "examining what must be thawed", func(ctx context.Context) (err error) {
		states, err = thaw.ReadStates(ctx, v.repo.Objects, reads)
		return err
	})
	if err == nil && len(states) > 0 {
		err = thaw.Run(ctx, v.repo.Objects, states, v.o.Thaw)
	}
	if err != nil {
		return fmt.Errorf("thawing what is to be read back: %w", err)
	}
	return nil
}

// retryFrozen makes objects that could not be read due again, if the options have a tier to thaw them with. It reports
// whether there are any.
func (v *verifyRun) retryFrozen(tries int) bool {
	if v.o.Thaw == nil || !v.o.ReadData || !thaw.IsPossible(v.repo.Objects) || tries == thaw.ThawFailures {
		return false
	}
	found := false
	for _, n := range v.needs {
		if n.wasFrozen {
			n.wasFrozen, n.skip, n.frozen, found = false, false, true, true
			v.report.Unthawed--
		}
	}
	return found
}

// skipFrozen counts an object that could not be read back because it must be thawed first. The listing alone does not
// decide: a thawed copy of an object keeps its class.
func (v *verifyRun) skipFrozen(n *need) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n.wasFrozen {
		return
	}
	n.skip, n.wasFrozen = true, true
	v.report.Unthawed++
}
