package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Preflight checks whether a backup could continue the archive at the address, or begin one there. A
// condition that a backup would refuse is a finding that failed. It changes no object; in a directory it makes a file that
// no listing shows, and removes it. It returns false with a finding that failed if it could not read the archive; Probe
// mostly reports a better reason.
func (a *Archive) Preflight(ctx context.Context) (storecheck.Finding, bool) {
	defer a.hold()()
	f, ok := a.preflight(ctx)
	f.Probe = "archive"
	return f, ok
}

func (a *Archive) preflight(ctx context.Context) (storecheck.Finding, bool) {
	if class := store.FrozenClass(a.store); class != "" {
		return storecheck.Finding{
			Result: storecheck.Note, Detail: fmt.Sprintf("%v (%s): only copies can be made here", ErrFreezes, class),
			Advice: "make the snapshots in another archive, and copy that one to this address",
		}, true
	}
	h, err := a.load(ctx)
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return storecheck.Fail("use another address, or the program that wrote this archive", "%v", err), true
	case errors.Is(err, ErrDamaged):
		return storecheck.Fail("verify the archive with all its data for a full report", "%v", err), true
	case err != nil:
		return storecheck.WentWrong(err), false
	}
	if err := a.judgeRemains(ctx, h); errors.Is(err, ErrLostID) {
		const advice = "verify the archive for a full report; a repair writes " + manifest.ArchiveKey + " again"
		return storecheck.Fail(advice, "%v", err), true
	} else if err != nil {
		return storecheck.WentWrong(err), false
	}
	way, err := a.checkWay(ctx, h)
	if err != nil {
		return storecheck.WentWrong(err), true
	}
	if way.Result == storecheck.Failed {
		return way, true
	}
	f, ok := a.preflightOf(ctx, h)
	if f.Result == storecheck.Failed {
		return f, ok
	}
	if way.Result == storecheck.Note && f.Result == storecheck.Good {
		f = way
	}
	return a.checkPlaces(ctx, h, f), ok
}

// preflightOf is preflight for an archive that was read.
func (a *Archive) preflightOf(ctx context.Context, h *head) (storecheck.Finding, bool) {
	if err := h.checkUnknownID(); err != nil {
		const advice = "restore the correct " + manifest.ArchiveKey +
			"; if no archive was begun here, delete this one or use another address"
		return storecheck.Fail(advice, "%s: %v", strings.Join(h.warnings, "; "), err), true
	}
	if !h.isNew() {
		return a.lookAround(ctx, h)
	}
	if err := a.state.CheckPlace(); err != nil {
		return storecheck.Fail("", "%v", err), true
	}
	f, ok := a.lookApart(ctx)
	if f.Result == storecheck.Good && len(h.warnings) > 0 {
		f.Result, f.Detail = storecheck.Note, strings.Join(h.warnings, "; ")
		if h.isFresh() {
			f.Detail += "; there are none, so a backup begins an archive beside it"
			f.Advice = "is this the right address? If it is, delete this " + manifest.ArchiveKey
		}
	}
	return f, ok
}

// checkPlaces adds to a finding where objects cannot be created. Each backup needs the place of its manifest; whether it
// needs the others depends on what it stores.
func (a *Archive) checkPlaces(ctx context.Context, h *head, f storecheck.Finding) storecheck.Finding {
	if err := a.testCreation(ctx, slices.Values(h.nextKeys(h.nextSequence()))); err != nil {
		return storecheck.WentWrong(err)
	}
	for _, key := range []string{
		manifest.DataPrefix + firstBelow, manifest.BundlesPrefix + firstBelow, manifest.PagesPrefix + firstBelow,
		manifest.LedgerKey(h.ledger.Number + 1), manifest.ProofsPrefix + firstBelow,
	} {
		err := a.testCreation(ctx, slices.Values([]string{key}))
		if err == nil || errors.Is(err, store.ErrBlocked) { // checkWay reports what blocks a key
			continue
		}
		if f.Result == storecheck.Good {
			f.Result, f.Detail = storecheck.Note, err.Error()
			continue
		}
		f.Detail += "; " + err.Error()
	}
	return f
}

// checkWay reports what is in the way of the archive's next objects; a failure if that stops backups. The result is
// empty if nothing is in the way.
func (a *Archive) checkWay(ctx context.Context, h *head) (f storecheck.Finding, err error) {
	all, err := a.blocks(ctx, h)
	for _, blocked := range all {
		if f.Detail == "" {
			f.Result = storecheck.Note
		} else {
			f.Detail += "; "
		}
		f.Detail += blocked.Error()
		if blocked.stops {
			f.Result = storecheck.Failed
		}
	}
	return f, err
}

// lookApart checks whether a new archive may begin here.
func (a *Archive) lookApart(ctx context.Context) (storecheck.Finding, bool) {
	warning, err := a.checkApart(ctx)
	switch {
	case errors.Is(err, ErrNested):
		const advice = "give each archive a prefix that neither begins with another archive's prefix " +
			"nor is the beginning of one"
		return storecheck.Fail(advice, "%v", err), true
	case err != nil:
		return storecheck.WentWrong(err), true
	case warning != "":
		return storecheck.Finding{Result: storecheck.Note, Detail: "none is there yet; " + warning}, true
	}
	return storecheck.Pass("none is there yet; the first backup begins it"), true
}

// lookAround checks whether the archive lies within another one, or around one.
func (a *Archive) lookAround(ctx context.Context, h *head) (storecheck.Finding, bool) {
	const apart = "copy one of them to an address apart, and delete it here; " +
		"until then the outer archive's prune deletes nothing below the inner archive's prefix"
	f := storecheck.Pass("a backup continues this archive")
	if len(h.warnings) > 0 {
		const advice = "verify the archive for a full report"
		f = storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(h.warnings, "; "), Advice: advice}
	}
	frozen, err := a.frozenWarning(ctx)
	if err != nil {
		return storecheck.WentWrong(err), true
	}
	if frozen != "" {
		const advice = "remove the rule of the bucket that moves objects to that class"
		f = storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(h.warnings, frozen), "; "), Advice: advice}
	}
	around, err := a.enclosing(ctx)
	var within []Nested
	if err == nil {
		within, err = a.nestedNear(ctx)
	}
	switch {
	case errors.Is(err, store.ErrBlocked), errors.Is(err, fs.ErrPermission): // a backup does not read what is there
		return storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(h.warnings, err.Error()), "; ")}, true
	case err != nil:
		return storecheck.WentWrong(err), true
	}
	var details []string
	if around != "" {
		details = append(details, "the archive lies within the one at "+around)
	}
	if len(within) > 0 {
		details = append(details, fmt.Sprintf("another archive lies within this one, at the prefix %s", within[0].Prefix))
	}
	if len(details) == 0 {
		return f, true
	}
	return storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(details, h.warnings...), "; "), Advice: apart}, true
}
