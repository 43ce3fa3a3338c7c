package archive

import (
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// checkForeign refuses a source of which no closed file agrees with the archive. When
// names, sizes and times leave that open, it reads files until one agrees.
func (r *backupRun) checkForeign(ctx context.Context, plan *Plan, parent *manifest.Manifest) error {
	if parent == nil {
		return nil
	}
	if len(plan.Changed) == 0 {
		return r.checkCommon(parent)
	}
	for i := range plan.Keep {
		if plan.Keep[i].State == manifest.Closed {
			return nil
		}
	}
	for _, f := range plan.Upload {
		was := entry(parent.Files, f.Name)
		if was == nil || f.State != source.Closed || was.State != manifest.Closed || was.Size != f.Size {
			continue
		}
		content, err := r.capture.Open(f.Name)
		if err != nil {
			return fmt.Errorf("opening %s: %w", f.Name, err)
		}
		is, err := sum(ctx, content, f.Size)
		content.Close()
		if err != nil {
			return fmt.Errorf("reading %s: %w", f.Name, err)
		}
		if is.SHA256 == was.SHA256 {
			return nil
		}
	}
	if same, err := r.sameTail(ctx, parent); same || err != nil {
		return err
	}
	return r.refuse(manifest.GuardTakeOver, fmt.Errorf("%w: none of the %d closed files that both have, such as %s, is the same in snapshot %d; choose another destination, or accept the source if this is the same database",
		ErrForeign, len(plan.Changed), plan.Changed[0], parent.Sequence))
}

// tellingTail is how long a tail must be, in bytes, to tell one database from another: the
// first entries of all are much the same.
const tellingTail = 4 << 10

// sameTail reports whether the source has the parent's tail, as it was then or grown: no
// other database has.
func (r *backupRun) sameTail(ctx context.Context, parent *manifest.Manifest) (bool, error) {
	for i := range parent.Files {
		was := &parent.Files[i]
		if was.State != manifest.Tail || was.Size < tellingTail {
			continue
		}
		k := slices.IndexFunc(r.capture.Files, func(f source.File) bool { return f.Name == was.Name && f.Size >= was.Size })
		if k < 0 {
			continue
		}
		content, err := r.capture.Open(was.Name)
		if err != nil {
			return false, fmt.Errorf("opening %s: %w", was.Name, err)
		}
		is, err := sum(ctx, content, was.Size)
		content.Close()
		if err != nil {
			return false, fmt.Errorf("reading %s: %w", was.Name, err)
		}
		if is.SHA256 == was.SHA256 {
			return true, nil
		}
	}
	return false, nil
}

// checkCommon refuses an ordered source that has not one of the closed files that the
// archive ends with: a cleaner takes the old ones, not all of them.
func (r *backupRun) checkCommon(parent *manifest.Manifest) error {
	have := make(map[string]bool, len(r.capture.Files))
	for i := range r.capture.Files {
		have[r.capture.Files[i].Name] = true
	}
	var example string
	for i := range parent.Files {
		f := &parent.Files[i]
		_, _, ordered := r.layout.Position(f.Name)
		switch {
		case have[f.Name]:
			return nil
		case ordered && f.State == manifest.Closed:
			example = f.Name
		}
	}
	if example == "" {
		return nil
	}
	return r.refuse(manifest.GuardTakeOver, fmt.Errorf("%w: it has none of the log files of snapshot %d, such as %s; choose another destination, or accept the source if this is the same database, whose cleaner has replaced all of its files since",
		ErrForeign, parent.Sequence, example))
}
