package archive

import (
	"context"
	"errors"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Look finds out whether a backup could go on with what is at the address, or begin there:
// what it would refuse is a finding that failed. It changes nothing. False: it could not
// look, for a reason that Probe tells.
func (a *Archive) Look(ctx context.Context) (Finding, bool) {
	f, ok := a.look(ctx)
	f.Probe = "archive"
	return f, ok
}

func (a *Archive) look(ctx context.Context) (Finding, bool) {
	h, err := a.load(ctx)
	switch {
	case errors.Is(err, manifest.ErrVersion):
		return failed("use another address, or the program that wrote this", "%v", err), true
	case errors.Is(err, ErrDamaged):
		return failed("strongroom verify --read-data tells all that is wrong", "%v", err), true
	case err != nil:
		return Finding{}, false
	case h.badID:
		return failed("put the right "+manifest.ArchiveKey+" back; where no archive was begun, remove this one or use another address", "%s", strings.Join(h.warnings, "; ")), true
	case !h.exists():
		if err := a.witness.checkPlace(); err != nil {
			return failed("", "%v", err), true
		}
		return good("none is there yet; the first backup begins it"), true
	case len(h.warnings) > 0:
		return Finding{Result: Note, Detail: strings.Join(h.warnings, "; "), Advice: "strongroom verify tells more"}, true
	}
	return good("a backup goes on from what is there"), true
}
