package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Preflight finds out whether a backup could go on with what is at the address, or begin there:
// what it would refuse is a finding that failed. It changes nothing. False: it could not
// look, for a reason that Probe tells.
func (a *Archive) Preflight(ctx context.Context) (storecheck.Finding, bool) {
	defer a.hold()()
	f, ok := a.preflight(ctx)
	f.Probe = "archive"
	return f, ok
}

func (a *Archive) preflight(ctx context.Context) (storecheck.Finding, bool) {
	h, err := a.load(ctx)
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return storecheck.Fail("use another address, or the program that wrote this", "%v", err), true
	case errors.Is(err, ErrDamaged):
		return storecheck.Fail("strongroom verify --read-data tells all that is wrong", "%v", err), true
	case err != nil:
		return storecheck.Finding{}, false
	case h.badID:
		return storecheck.Fail("put the right "+manifest.ArchiveKey+" back; where no archive was begun, remove this one or use another address", "%s", strings.Join(h.warnings, "; ")), true
	case !h.exists():
		if err := a.state.checkPlace(); err != nil {
			return storecheck.Fail("", "%v", err), true
		}
		return a.lookApart(ctx)
	case h.checkLostID() != nil:
		return storecheck.Fail("strongroom verify tells what is there; strongroom verify --repair writes it again", "%v", h.checkLostID()), true
	}
	return a.lookAround(ctx, h)
}

// lookApart finds out whether a new archive may begin here.
func (a *Archive) lookApart(ctx context.Context) (storecheck.Finding, bool) {
	warning, err := a.checkApart(ctx)
	switch {
	case errors.Is(err, ErrNested):
		return storecheck.Fail("each archive takes a prefix that is neither the beginning of another's nor begins with it", "%v", err), true
	case err != nil:
		return storecheck.WentWrong(err), true
	case warning != "":
		return storecheck.Finding{Result: storecheck.Note, Detail: "none is there yet; " + warning}, true
	}
	return storecheck.Pass("none is there yet; the first backup begins it"), true
}

// findNested finds out whether an archive lies within another one, or around one.
func (a *Archive) lookAround(ctx context.Context, h *head) (storecheck.Finding, bool) {
	const apart = "copy one of them to an address apart (strongroom copy), and remove it here; " +
		"until then the outer one's prune deletes nothing below the inner one's prefix"
	f := storecheck.Pass("a backup goes on from what is there")
	if len(h.warnings) > 0 {
		f = storecheck.Finding{Result: storecheck.Note, Detail: strings.Join(h.warnings, "; "), Advice: "strongroom verify tells more"}
	}
	around, err := a.enclosing(ctx)
	if err != nil {
		return storecheck.WentWrong(err), true
	}
	within, err := a.nestedNear(ctx)
	if err != nil {
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
