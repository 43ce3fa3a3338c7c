package archiver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Preflight implements the method of archive.Archive.
func Preflight(ctx context.Context, a *repo.Repo) (storecheck.Finding, bool) {
	defer a.Begin()()
	f, ok := preflight(ctx, a)
	f.Probe = "archive"
	return f, ok
}

func preflight(ctx context.Context, a *repo.Repo) (storecheck.Finding, bool) {
	if class := store.FrozenClass(a.Store); class != "" {
		return storecheck.Finding{
			Result: storecheck.Note, Detail: fmt.Sprintf("%v (%s): only copies can be made here", values.ErrFreezes, class),
			Advice: "make the snapshots in another archive, and copy that one to this address",
		}, true
	}
	h, err := a.Load(ctx)
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return storecheck.Fail("use another address, or the program that wrote this archive", "%v", err), true
	case errors.Is(err, values.ErrDamaged):
		return storecheck.Fail("verify the archive with all its data for a full report", "%v", err), true
	case err != nil:
		return storecheck.WentWrong(err), false
	}
	if err := a.JudgeRemains(ctx, h); errors.Is(err, values.ErrLostID) {
		const advice = "verify the archive for a full report; a repair writes " + manifest.ArchiveKey + " again"
		return storecheck.Fail(advice, "%v", err), true
	} else if err != nil {
		return storecheck.WentWrong(err), false
	}
	way, err := checkWay(ctx, a, h)
	if err != nil {
		return storecheck.WentWrong(err), true
	}
	if way.Result == storecheck.Failed {
		return way, true
	}
	f, ok := preflightOf(ctx, a, h)
	if f.Result == storecheck.Failed {
		return f, ok
	}
	if way.Result == storecheck.Note && f.Result == storecheck.Good {
		f = way
	}
	return checkPlaces(ctx, a, h, f), ok
}

// preflightOf is preflight for an archive that was read.
func preflightOf(ctx context.Context, a *repo.Repo, h *repo.Head) (storecheck.Finding, bool) {
	if err := h.CheckUnknownID(); err != nil {
		const advice = "restore the correct " + manifest.ArchiveKey +
			"; if no archive was begun here, delete this one or use another address"
		return storecheck.Fail(advice, "%s: %v", strings.Join(h.Warnings, "; "), err), true
	}
	if !h.IsNew() {
		return lookAround(ctx, a, h)
	}
	if err := a.State.CheckPlace(); err != nil {
		return storecheck.Fail("", "%v", err), true
	}
	f, ok := lookApart(ctx, a)
	if f.Result == storecheck.Good && len(h.Warnings) > 0 {
		f.Result, f.Detail = storecheck.Note, strings.Join(h.Warnings, "; ")
		if h.IsFresh() {
			f.Detail += "; there are none, so a backup begins an archive beside it"
			f.Advice = "is this the right address? If it is, delete this " + manifest.ArchiveKey
		}
	}
	return f, ok
}

// checkPlaces adds to a finding where objects cannot be created. Each backup needs the place of its manifest; whether it
// needs the others depends on what it stores.
func checkPlaces(ctx context.Context, a *repo.Repo, h *repo.Head, f storecheck.Finding) storecheck.Finding {
	if err := testCreation(ctx, a, slices.Values(nextKeys(h, h.NextSequence()))); err != nil {
		return storecheck.WentWrong(err)
	}
	for _, key := range []string{
		manifest.DataPrefix + repo.FirstBelow, manifest.BundlesPrefix + repo.FirstBelow, manifest.PagesPrefix + repo.FirstBelow,
		manifest.LedgerKey(h.Ledger.Number + 1), manifest.ProofsPrefix + repo.FirstBelow,
	} {
		err := testCreation(ctx, a, slices.Values([]string{key}))
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
func checkWay(ctx context.Context, a *repo.Repo, h *repo.Head) (f storecheck.Finding, err error) {
	all, err := a.Blocks(ctx, h)
	for _, blocked := range all {
		if f.Detail == "" {
			f.Result = storecheck.Note
		} else {
			f.Detail += "; "
		}
		f.Detail += blocked.Error()
		if blocked.Stops {
			f.Result = storecheck.Failed
		}
	}
	return f, err
}

// lookApart checks whether a new archive may begin here.
func lookApart(ctx context.Context, a *repo.Repo) (storecheck.Finding, bool) {
	warning, err := nested.CheckApart(ctx, a.Objects)
	switch {
	case errors.Is(err, values.ErrNested):
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
func lookAround(ctx context.Context, a *repo.Repo, h *repo.Head) (storecheck.Finding, bool) {
	const apart = "copy one of them to an address apart, and delete it here; " +
		"until then the outer archive's prune deletes nothing below the inner archive's prefix"
	f := storecheck.Pass("a backup continues this archive")
	if len(h.Warnings) > 0 {
		const advice = "verify the archive for a full report"
		f = storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(h.Warnings, "; "), Advice: advice}
	}
	frozen, err := thaw.FrozenWarning(ctx, a.Objects)
	if err != nil {
		return storecheck.WentWrong(err), true
	}
	if frozen != "" {
		const advice = "remove the rule of the bucket that moves objects to that class"
		f = storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(h.Warnings, frozen), "; "), Advice: advice}
	}
	around, err := nested.Enclosing(ctx, a.Objects)
	var within []values.Nested
	if err == nil {
		within, err = nested.NestedNear(ctx, a.Objects)
	}
	switch {
	case errors.Is(err, store.ErrBlocked), errors.Is(err, fs.ErrPermission): // a backup does not read what is there
		return storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(h.Warnings, err.Error()), "; ")}, true
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
	return storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(append(details, h.Warnings...), "; "), Advice: apart}, true
}
