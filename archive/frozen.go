package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// frozenSample is how many objects below each prefix FindFrozen lists: one page of a listing.
const frozenSample = 1000

// FindFrozen returns the storage class of objects that must be thawed before a restore can read them, and how many it
// found. It lists only the first objects with log content, so that it takes few requests: a rule of the bucket moves
// old objects, and log files have ascending names. The class is empty if it found none. It lists nothing of a store
// without storage classes, and finds nothing at a service that does not list in order.
func (a *Archive) FindFrozen(ctx context.Context) (class string, found int, _ error) {
	if _, none := a.store.(store.Classless); none {
		return "", 0, nil
	}
	defer a.hold()()
	ctx = store.InOrder(ctx)
	for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix} {
		listed := 0
		for o, err := range a.store.List(ctx, prefix, "", "") {
			if errors.Is(err, store.ErrUnordered) {
				break
			}
			if err != nil {
				return "", 0, err
			}
			if o.Frozen != "" {
				class, found = o.Frozen, found+1
			}
			if listed++; listed == frozenSample {
				break
			}
		}
	}
	return class, found, nil
}

// frozenWarning returns what FindFrozen found in words, and "" if it found nothing.
func (a *Archive) frozenWarning(ctx context.Context) (string, error) {
	if store.FrozenClass(a.store) != "" {
		return "", nil // that is wanted
	}
	class, n, err := a.FindFrozen(ctx)
	if n == 0 || err != nil {
		return "", err
	}
	const text = "of the first objects, %d are in the storage class %s and must be thawed before a restore"
	return fmt.Sprintf(text, n, class), nil
}

// noteFrozen counts an object that the listing shows in a class from which it must be thawed.
func (v *verifyRun) noteFrozen(o *store.Object, n *need) {
	if thawer, ok := v.store.(store.Thawer); ok {
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
	if v.o.Thaw == nil || !v.o.ReadData || !v.canThaw() {
		return nil
	}
	reads := map[string]*ObjectRead{}
	for key, n := range v.needs {
		if len(n.parts) > 0 && n.found && !n.bad && !n.read && (n.frozen || n.unsure) {
			reads[key] = &ObjectRead{Key: key, Frozen: true}
		}
	}
	var states []*thawState
	err := v.patiently(ctx, "examining what must be thawed", func(ctx context.Context) (err error) {
		states, err = v.thawStates(ctx, reads)
		return err
	})
	if err == nil && len(states) > 0 {
		err = v.thaw(ctx, states, v.o.Thaw)
	}
	if err != nil {
		return fmt.Errorf("thawing what is to be read back: %w", err)
	}
	return nil
}

// retryFrozen makes objects that could not be read due again, if the options have a tier to thaw them with. It reports
// whether there are any.
func (v *verifyRun) retryFrozen(tries int) bool {
	if v.o.Thaw == nil || !v.o.ReadData || !v.canThaw() || tries == thawFailures {
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
