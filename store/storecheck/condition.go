package storecheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/store"
)

// conditionalDelete deletes an object on the condition that it has the version of another object.
func (p *probeRun) conditionalDelete(ctx context.Context) Finding {
	if _, err := p.put(ctx, "condition", p.text("condition")); err != nil {
		return WentWrong(err)
	}
	other, err := p.bucket.Stat(ctx, p.dir+"first")
	switch {
	case err != nil:
		return WentWrong(err)
	case other.Version == "":
		return p.ignoresConditions("the store returns no versions, so a delete has no condition")
	}
	refused := p.deleteVersion(ctx, p.dir+"condition", other.Version)
	_, there := p.bucket.Stat(ctx, p.dir+"condition")
	switch {
	case errors.Is(refused, fs.ErrPermission):
		return Finding{
			Result: Note, Detail: "not tested: the credentials may not delete",
			Advice: "run this check with the credentials that repair (verify --repair) as well",
		}
	case errors.Is(refused, store.ErrProtected):
		return Finding{Result: Note, Detail: "not tested: a lock, a hold or a retention protects new objects"}
	case errors.Is(refused, store.ErrTransient):
		return WentWrong(refused)
	case errors.Is(there, fs.ErrNotExist):
		return p.ignoresConditions("the service deleted an object although the condition did not hold")
	case there != nil:
		return WentWrong(there)
	case refused == nil:
		return p.ignoresConditions("the service reported the deletion of an object, and kept it")
	case !errors.Is(refused, store.ErrChanged):
		return Fail("prune and repair need deletes that succeed; "+
			"accept in the URL that deletes have no condition (conditional_delete=false)", "%s", firstLine(refused))
	}
	return Pass("an object is deleted only if it is the version that was read")
}

// deleteVersion bypasses the adapter's own check, if there is a service that can refuse the delete.
func (p *probeRun) deleteVersion(ctx context.Context, key, version string) error {
	if service, ok := p.bucket.(store.FaultProbe); ok {
		return service.DeleteVersion(ctx, key, version)
	}
	return p.bucket.Delete(ctx, []store.Object{{Key: key, Version: version}})
}

// ignoresConditions is the finding of a store that lacks ConditionalDelete.
func (p *probeRun) ignoresConditions(observed string) Finding {
	f := Finding{
		Result: Note, Detail: fmt.Sprintf("%s: the guarantee %s is missing", observed, store.ConditionalDelete),
		Advice: "never run two repairs (verify --repair) of this archive at once: one may delete what the other has " +
			"restored; or use a bucket that keeps versions",
	}
	if store.Waives(p.bucket, store.ConditionalDelete) {
		f.Detail += ", as accepted in the URL"
	}
	return f
}

// letterCase requests an object under a key that differs from its own in letter case only.
func (p *probeRun) letterCase(ctx context.Context) Finding {
	const name = "Case"
	if _, err := p.put(ctx, name, p.text(name)); err != nil {
		return WentWrong(err)
	}
	switch _, err := p.bucket.Stat(ctx, p.dir+strings.ToLower(name)); {
	case err == nil:
		return Finding{
			Result: Note, Detail: "the store takes names that differ in letter case only for one name",
			Advice: "if names of your log files differ so, copy this archive only with strongroom copy; " +
				"copies by other programs may lack objects where letter case counts",
		}
	case !errors.Is(err, fs.ErrNotExist):
		return WentWrong(err)
	}
	return Pass("names that differ in letter case only are different names")
}
