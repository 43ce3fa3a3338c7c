package guard

import (
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A dirFiles counts the log files of one directory of a source.
type dirFiles struct {
	Closed  int    // closed files of the parent
	Gone    int    // closed files of the parent that are nowhere in the source
	example string // the name of a gone file
	holds   int    // files in the source now
	whole   int    // closed files in the source now
}

// CheckMissing returns an error if closed files of the parent are gone and the database's cleaner is not the likely
// cause. That is so if a directory has lost all its files, or if most files are gone although no file was begun. It
// checks only JE and Noxu, since other databases number and delete files in other ways.
func (r *Source) CheckMissing() error {
	parent := r.Parent()
	if !IsAppended(r.Layout) {
		return nil
	}
	dirs := r.CountFiles()
	if len(dirs) > 1 {
		for _, dir := range slices.Sorted(maps.Keys(dirs)) {
			d := dirs[dir]
			if d.Closed == 0 || d.Gone < d.Closed {
				continue
			}
			if why := r.missingDirectory(dir, d); why != "" {
				return fmt.Errorf("%w: all %d closed files that snapshot %d has of %s are gone, such as %s, and %s; "+
					"mount or restore it, or accept that they are missing",
					values.ErrMissingFiles, d.Closed, parent.Sequence, dirName(dir), d.example, why)
			}
		}
	}
	return r.missingMost()
}

func dirName(dir string) string {
	if dir == "" {
		return "its top directory"
	}
	return "its directory " + dir
}

// CountFiles counts the parent's and the source's files by directory. A file whose number the source has in another
// directory has moved, and is not gone.
func (r *Source) CountFiles() map[string]*dirFiles {
	parent := r.Parent()
	dirs := map[string]*dirFiles{}
	of := func(name string) *dirFiles {
		dir := dirOf(name)
		if dirs[dir] == nil {
			dirs[dir] = &dirFiles{}
		}
		return dirs[dir]
	}
	have := r.numbers()
	for i := range r.Capture.Files {
		d := of(r.Capture.Files[i].Name)
		d.holds++
		if scan.StateOf(&r.Capture.Files[i]) == manifest.Closed {
			d.whole++
		}
	}
	for i := range parent.Files {
		f := &parent.Files[i]
		d := of(f.Name)
		if f.State != manifest.Closed {
			continue
		}
		d.Closed++
		if _, n, _ := r.Layout.Position(f.Name); !have[n] {
			d.Gone, d.example = d.Gone+1, f.Name
		}
	}
	return dirs
}

// numbers returns the numbers of the source's files.
func (r *Source) numbers() map[uint64]bool {
	have := make(map[uint64]bool, len(r.Capture.Files))
	for i := range r.Capture.Files {
		_, n, _ := r.Layout.Position(r.Capture.Files[i].Name)
		have[n] = true
	}
	return have
}

// missingDirectory returns the evidence that a directory whose closed files are gone is not the one that held them; ""
// if there is none. A cleaner does not replace the directory.
func (r *Source) missingDirectory(dir string, d *dirFiles) string {
	was, now := r.Seen.Dirs[dir], r.Capture.Dirs[dir]
	_, there := r.Capture.Dirs[dir]
	switch {
	case r.Capture.Dirs != nil && !there:
		return "the directory is not there"
	case was.Differs(now):
		if d.whole == 0 || was.Born != 0 && now.Born != 0 {
			return "another directory is in its place, such as a mount point"
		}
	case was.Same(now):
		return ""
	}
	if d.holds == 0 && r.wasPassedOver(dir) {
		return "it has none of the files that were begun since, although it was its turn"
	}
	return ""
}

// missingMost returns an error if more than half of the parent's closed files are gone, and the source has no new file.
// It ignores files after the source's last file, which CheckRollback covers.
func (r *Source) missingMost() error {
	parent := r.Parent()
	have, end := r.numbers(), uint64(0)
	for i := range r.Capture.Files {
		f := &r.Capture.Files[i]
		if scan.Entry(parent.Files, f.Name) == nil {
			return nil
		}
		_, n, _ := r.Layout.Position(f.Name)
		end = max(end, n)
	}
	closed, gone, example := 0, 0, ""
	for i := range parent.Files {
		f := &parent.Files[i]
		_, n, _ := r.Layout.Position(f.Name)
		if f.State != manifest.Closed || n > end {
			continue
		}
		closed++
		if !have[n] {
			gone, example = gone+1, f.Name
		}
	}
	if 2*gone <= closed {
		return nil
	}
	return fmt.Errorf("%w: of %d closed files of snapshot %d, %d are gone, such as %s, and the database has begun no "+
		"file since; restore them, or accept that they are missing if the database's cleaner deleted them: "+
		"once there is a new file, that is not necessary",
		values.ErrMissingFiles, closed, parent.Sequence, gone, example)
}
