package guard

import (
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// compareFiles compares the files that the plan would read with the base's versions of them. The result is in the order
// of the log, and has all files that both have and that are not known to be unchanged. Files whose size, times and
// stamps are those of the base are not read.
func (r *Source) compareFiles(ctx context.Context, plan *values.Plan) ([]fileComparison, error) {
	parent := r.Parent()
	var files []*source.File
	for i := range plan.Upload {
		f := &plan.Upload[i]
		was := scan.Entry(parent.Files, f.Name)
		if was != nil && !(scan.LooksSame(f, was) && r.SameStamp(f, was)) { // others are read for another reason
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b *source.File) int { return r.Layout.Compare(a.Name, b.Name) })
	all := make([]fileComparison, len(files))
	ctx, stop := r.CancelOnDiskPressure(ctx)
	defer stop()
	err := objects.EachIndex(ctx, r.Repo.Transfers, len(files), func(ctx context.Context, i int) error {
		release, err := r.Repo.Acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		f := files[i]
		all[i], err = r.compareFile(ctx, f, scan.Entry(parent.Files, f.Name))
		if err != nil {
			return fmt.Errorf("comparing %s with snapshot %d: %w", f.Name, parent.Sequence, err)
		}
		return nil
	})
	if cause := context.Cause(ctx); cause != nil && (err == nil || IsPressure(cause)) {
		err = cause
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// compareFile compares one file with the base's version of it. It reads the archived bytes only if their hash differs.
func (r *Source) compareFile(ctx context.Context, f *source.File, was *manifest.File) (fileComparison, error) {
	c := fileComparison{
		name: f.Name, was: was.State, size: was.Size, isShorter: f.Size < was.Size, since: was.Snapshot,
	}
	content, err := r.Capture.Peek(f.Name)
	if err != nil {
		return c, fmt.Errorf("opening: %w", err)
	}
	defer content.Close()
	same, err := r.hasSameBytes(ctx, content, f, was)
	switch {
	case err != nil:
		return c, err
	case same:
		c.shared = was.Size
		return c, nil
	}
	if c.why = r.incomparable(f, was); c.why != "" {
		c.how = likeUnknown
		return c, nil
	}
	if err := r.compareEntries(ctx, content, f, was, &c); err != nil {
		return c, err
	}
	if err := content.Unchanged(); err != nil {
		return c, err
	}
	return c, nil
}

// incomparable returns why the entries of a file cannot be compared with the archived ones; "" if they can.
func (r *Source) incomparable(f *source.File, was *manifest.File) string {
	switch {
	case r.Layout.EntryReader(f.Name) == nil:
		return "its entries are not checked"
	case was.Check == nil:
		return "its entries were not checked then"
	case was.Damaged():
		return "it was damaged then"
	}
	return ""
}

// hasSameBytes reports whether a file begins with the bytes that the base has of it. Of a tail that an earlier backup of
// this process has read, it reads only the end.
func (r *Source) hasSameBytes(
	ctx context.Context, content source.Content, f *source.File, was *manifest.File,
) (bool, error) {
	if f.Size < was.Size {
		return false, nil
	}
	if t, err := r.tailReadOf(ctx, content, f, was); t != nil || err != nil {
		return t != nil, err
	}
	if f.State == source.Tail && was.State == manifest.Tail && !was.Damaged() {
		return r.readTail(ctx, content, f, was)
	}
	s := digest.New()
	if err := bufcopy.Range(ctx, content, 0, was.Size, s); err != nil {
		return false, err
	}
	if s.Sums().SHA256 != was.SHA256 {
		return false, nil
	}
	if f.State == source.Closed && f.Size == was.Size {
		r.noteSameContent(f, was)
		return true, content.Unchanged()
	}
	return true, nil
}

// readTail is hasSameBytes for a tail. It leaves off at the end of the archived bytes, so that the tail is read once.
func (r *Source) readTail(
	ctx context.Context, content source.Content, f *source.File, was *manifest.File,
) (bool, error) {
	s := scan.NewScanner(f, r.Layout)
	if err := s.Read(ctx, objects.NewHashing(content, r.Repo.Progress), was.Size); err != nil {
		return false, err
	}
	sum := s.Whole.Sums().SHA256
	if sum != was.SHA256 {
		return false, nil
	}
	if s.Log != nil && s.Log.End() != was.Size {
		return true, nil
	}
	d := scan.Scan{}
	d.Whole.SHA256 = sum
	return true, r.KeepTail(ctx, content, f, s, &d)
}

// noteSameContent records that a closed file has the base's content, so that the run does not read it again. A file that
// was written so recently that another write may not show is read again.
func (r *Source) noteSameContent(f *source.File, was *manifest.File) {
	isYoung := r.Capture.At.Sub(f.Modified) < scan.MtimeGranularity
	if isYoung || !r.CanReuseBase || r.NeedsLostObject(was) || r.NeverChecked(was) || len(was.Parts) != 1 {
		return
	}
	r.Mu.Lock()
	defer r.Mu.Unlock()
	if r.sameContent == nil {
		r.sameContent = map[string]bool{}
	}
	r.sameContent[f.Name] = true
}

// ReuseCompared returns the entry of a file that was read for the comparison, and has the base's content; false if the
// file must be read.
func (r *Source) ReuseCompared(f *source.File, was *manifest.File) (e manifest.File, ok bool, err error) {
	r.Mu.Lock()
	ok = r.sameContent[f.Name]
	r.Mu.Unlock()
	if !ok {
		return e, false, nil
	}
	content, err := r.Capture.Open(f.Name)
	if err != nil {
		return e, false, fmt.Errorf("opening: %w", err)
	}
	defer content.Close()
	if err := content.Unchanged(); err != nil {
		return e, false, err
	}
	e = *was
	e.Modified, e.State = scan.Modified(f), scan.StateOf(f) // a tail may have closed since
	r.Repo.Progress.BytesDone.Add(f.Size)
	return e, true, nil
}
