package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// MakePlan compares the captured files with the parent snapshot; parent is nil for the first snapshot. A file
// counts as unchanged if its name, size, modification time and state match the parent's, and agrees returns
// true or is nil. Both lists must be in name order. It returns an error for a name or size that the format
// does not allow.
func MakePlan(captured []source.File, parent *manifest.Manifest, agrees func(*source.File, *manifest.File) bool) (values.Plan, error) {
	if err := CheckCaptured(captured); err != nil {
		return values.Plan{}, err
	}
	if parent == nil {
		return values.Plan{Upload: captured}, nil
	}
	var plan values.Plan
	Compare(&plan, captured, parent.Files, agrees)
	return plan, nil
}

// CheckCaptured returns an error for a name or size that the format does not allow.
func CheckCaptured(captured []source.File) error {
	err := manifest.CheckNames(func(yield func(string) bool) {
		for i := range captured {
			if !yield(captured[i].Name) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("the source holds a file that cannot be archived; rename it or narrow the pattern: %w", err)
	}
	for i := range captured {
		if f := &captured[i]; f.Size > manifest.MaxFileSize {
			return fmt.Errorf("the source holds a file that cannot be archived: %s has %d bytes, more than %d",
				f.Name, f.Size, int64(manifest.MaxFileSize))
		}
	}
	return nil
}

// Compare adds to a plan what a backup would do about captured files, where the parent has these entries.
func Compare(p *values.Plan, captured []source.File, old []manifest.File, agrees func(*source.File, *manifest.File) bool) {
	for _, f := range captured {
		for len(old) > 0 && old[0].Name < f.Name {
			p.Removed = append(p.Removed, old[0].Name)
			old = old[1:]
		}
		if len(old) == 0 || old[0].Name != f.Name {
			p.Upload = append(p.Upload, f)
			continue
		}
		was := &old[0]
		old = old[1:]
		switch {
		case LooksSame(&f, was) && (agrees == nil || agrees(&f, was)):
			p.Keep = append(p.Keep, was)
			continue
		case f.State == source.Closed && was.State == manifest.Closed:
			p.Changed = append(p.Changed, f.Name)
		}
		p.Upload = append(p.Upload, f)
	}
	for i := range old {
		p.Removed = append(p.Removed, old[i].Name)
	}
}

func LooksSame(f *source.File, was *manifest.File) bool {
	return f.Size == was.Size && StateOf(f) == was.State && Modified(f).Equal(was.Modified)
}

func StateOf(f *source.File) manifest.State {
	if f.State == source.Tail {
		return manifest.Tail
	}
	return manifest.Closed
}

// Modified returns the file's time as a manifest stores it; zero if a manifest cannot store it.
func Modified(f *source.File) time.Time {
	t := f.Modified.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// Entry finds a file in a list that is in name order; nil if it is not in the list.
func Entry(files []manifest.File, name string) *manifest.File {
	i, ok := slices.BinarySearchFunc(files, name, func(f manifest.File, name string) int {
		return strings.Compare(f.Name, name)
	})
	if !ok {
		return nil
	}
	return &files[i]
}
