package guard

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// CheckSource refuses a source without log files or with another layout. An operator cannot accept these findings.
func (r *Source) CheckSource() error {
	capture, layout, h := r.Capture, r.Layout, r.Head
	captured := capture.Files
	if out := capture.Ignored; len(captured) == 0 && len(out) > 0 {
		return fmt.Errorf("%w: it holds no closed file yet; %d files of the layout %s are left out, such as %s: %s",
			values.ErrEmptySource, len(out), layout.Name(), out[0].Name, out[0].Why)
	}
	if len(captured) == 0 {
		return fmt.Errorf("%w: no log file of the layout %s in it; "+
			"is the file system mounted, the directory right and the database in it?", values.ErrEmptySource, layout.Name())
	}
	if l := h.Layout(); l != "" && l != layout.Name() {
		return fmt.Errorf("%w: its layout is %s and the archive was made for %s; choose another destination",
			values.ErrForeign, layout.Name(), l)
	}
	return nil
}

// CheckContinuation refuses a source that does not continue the parent, before anything is written. It compares content
// first, since names and sizes of another database prove nothing.
func (r *Source) CheckContinuation(ctx context.Context, plan *values.Plan) error {
	parent := r.Parent()
	if parent == nil {
		return nil
	}
	foreign, err := r.foreign(ctx, plan)
	if err != nil {
		return err
	}
	if foreign != nil {
		if r.Layout.ChecksEntries() {
			r.ForkedFrom = &r.Head.Base.Ref
		}
		return r.refuse(manifest.GuardTakeOver, foreign)
	}
	if err := CheckRollback(r.Capture.Files, r.Layout, parent); err != nil {
		if err := r.refuse(manifest.GuardRollback, err); err != nil {
			return err
		}
	}
	if err := r.CheckMissing(); err != nil {
		if err := r.refuse(manifest.GuardMissing, err); err != nil {
			return err
		}
	}
	return r.CheckFork(ctx, plan)
}

// CheckRollback checks that the source reaches at least to the parent's last closed file, in each directory that has an
// order of its own. A tail in that file's place must be at least as long: a restored database continues to write to its
// highest file.
func CheckRollback(captured []source.File, layout source.Layout, parent *manifest.Manifest) error {
	last := map[string]source.File{}
	for _, f := range captured {
		if group, _, ok := layout.Position(f.Name); ok {
			if was, seen := last[group]; !seen || layout.Compare(was.Name, f.Name) < 0 {
				last[group] = f
			}
		}
	}
	reached := map[string]manifest.File{}
	for _, f := range parent.Files {
		if group, _, ok := layout.Position(f.Name); ok && f.State == manifest.Closed {
			if was, seen := reached[group]; !seen || layout.Compare(was.Name, f.Name) < 0 {
				reached[group] = f
			}
		}
	}
	for group, was := range reached {
		now, ok := last[group]
		switch {
		case !ok:
			return rolledBack(parent, &was, "the source has no file of that sequence any more")
		case layout.Compare(now.Name, was.Name) < 0:
			return rolledBack(parent, &was, "the source ends with "+now.Name)
		case now.Name == was.Name && now.State == source.Tail && now.Size < was.Size:
			return rolledBack(parent, &was, fmt.Sprintf("in the source it is open and has only %d bytes", now.Size))
		}
	}
	return nil
}

func rolledBack(parent *manifest.Manifest, was *manifest.File, how string) error {
	return fmt.Errorf("%w: snapshot %d holds %s (%d bytes) and %s; "+
		"if the database was restored to an earlier state on purpose, accept the rollback",
		values.ErrRolledBack, parent.Sequence, was.Name, was.Size, how)
}

// TailWarning returns a warning if the parent's tail has become shorter or is gone, which a crash or a restore
// explains.
func TailWarning(captured []source.File, layout source.Layout, parent *manifest.Manifest) string {
	if parent == nil || !layout.KeepsTail() {
		return ""
	}
	for _, was := range parent.Files {
		if was.State != manifest.Tail {
			continue
		}
		for _, now := range captured {
			if now.Name == was.Name && now.Size < was.Size {
				return fmt.Sprintf("%s had %d bytes in snapshot %d and has %d now", was.Name, was.Size, parent.Sequence, now.Size)
			}
			if now.Name == was.Name {
				return ""
			}
		}
		return fmt.Sprintf("%s, which was being written at snapshot %d, is gone", was.Name, parent.Sequence)
	}
	return ""
}
