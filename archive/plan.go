package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Source is the database's directory as Backup reads it.
type Source interface {
	// Layout returns the rules for the files' names and order.
	Layout() source.Layout
	// Capture records which files exist at one moment, and pins the files for which want returns true. The
	// caller closes the capture.
	Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error)
}

// Plan is what a backup would do, judged by names, sizes and times.
type Plan struct {
	// Keep has the entries of the parent that are kept unchanged. A backup that did not have to read all pages of the
	// parent has no others than those that it read; a dry run reads all. Callers must not modify them.
	Keep    []*manifest.File
	Upload  []source.File // files to read; content that the parent has already is not sent
	Removed []string      // names in the parent that are no longer in the source
	Changed []string      // files closed in both whose size or time differs; their content may be the same
}

// MakePlan compares the captured files with the parent snapshot; parent is nil for the first snapshot. A file
// counts as unchanged if its name, size, modification time and state match the parent's, and agrees returns
// true or is nil. Both lists must be in name order. It returns an error for a name or size that the format
// does not allow.
func MakePlan(captured []source.File, parent *manifest.Manifest, agrees func(*source.File, *manifest.File) bool) (Plan, error) {
	if err := checkCaptured(captured); err != nil {
		return Plan{}, err
	}
	if parent == nil {
		return Plan{Upload: captured}, nil
	}
	var plan Plan
	plan.compare(captured, parent.Files, agrees)
	return plan, nil
}

// checkCaptured returns an error for a name or size that the format does not allow.
func checkCaptured(captured []source.File) error {
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

// compare adds to a plan what a backup would do about captured files, where the parent has these entries.
func (p *Plan) compare(captured []source.File, old []manifest.File, agrees func(*source.File, *manifest.File) bool) {
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
		case looksSame(&f, was) && (agrees == nil || agrees(&f, was)):
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

// Idle reports whether there is nothing to do: the source matches the parent.
func (p *Plan) Idle() bool { return len(p.Upload) == 0 && len(p.Removed) == 0 }

func looksSame(f *source.File, was *manifest.File) bool {
	return f.Size == was.Size && stateOf(f) == was.State && modified(f).Equal(was.Modified)
}

func stateOf(f *source.File) manifest.State {
	if f.State == source.Tail {
		return manifest.Tail
	}
	return manifest.Closed
}

// modified returns the file's time as a manifest stores it; zero if a manifest cannot store it.
func modified(f *source.File) time.Time {
	t := f.Modified.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// entry finds a file in a list that is in name order; nil if it is not in the list.
func entry(files []manifest.File, name string) *manifest.File {
	i, ok := slices.BinarySearchFunc(files, name, func(f manifest.File, name string) int {
		return strings.Compare(f.Name, name)
	})
	if !ok {
		return nil
	}
	return &files[i]
}
