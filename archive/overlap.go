package archive

import (
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// Errors of directories that must be apart; test with errors.Is.
var (
	// ErrOverlap: a source, a target or a copy is the archive's directory, is within it, or contains it.
	ErrOverlap = errors.New("the directories are one within the other")
	// ErrBadTarget: a restore cannot write to the directory.
	ErrBadTarget = errors.New("nothing can be restored there")
)

// CheckOverlap returns ErrOverlap if a directory is that of an archive, is within it, or contains it: objects among log
// files, or log files among objects, endanger both. archiveDir is empty if the archive is in no directory of this host;
// see store.Local. what names the directory in the error, such as "the source".
func CheckOverlap(what, dir, archiveDir string) error {
	if archiveDir == "" || !disk.IsInside(dir, archiveDir) && !disk.IsInside(archiveDir, dir) {
		return nil
	}
	return fmt.Errorf("%s %s and the archive %s: %w; use separate directories", what, dir, archiveDir, ErrOverlap)
}

// localDir returns the directory of the archive; empty if it is in none of this host.
func (a *Archive) localDir() string {
	if l, ok := a.store.(store.Local); ok {
		return l.LocalDir()
	}
	return ""
}

// CheckTarget returns ErrOverlap if the directory is not apart from the archive. It returns ErrBadTarget if it is in
// the local state, or has no name, which would mean the current directory. It sends no request. Restore begins with it.
func (a *Archive) CheckTarget(dir string) error {
	switch {
	case dir == "":
		return fmt.Errorf("the name of the target is empty: %w; name a directory", ErrBadTarget)
	case a.state != nil && a.state.Dir != "" && disk.IsInside(dir, a.state.Dir):
		return fmt.Errorf("the target %s is in the directory of the local state, %s: %w; use another directory",
			dir, a.state.Dir, ErrBadTarget)
	}
	return CheckOverlap("the target", dir, a.localDir())
}

// checkSource returns ErrOverlap if the source is a directory that is not apart from the archive.
func (a *Archive) checkSource(src Source) error {
	if d, ok := src.(interface{ Path() string }); ok {
		return CheckOverlap("the source", d.Path(), a.localDir())
	}
	return nil
}

// checkCopy returns ErrOverlap if the target of a copy is not apart from the archive.
func (a *Archive) checkCopy(to *Archive) error {
	if dir := to.localDir(); dir != "" {
		return CheckOverlap("the copy", dir, a.localDir())
	}
	return nil
}

// checkScratch returns ErrBadTarget if a drill would restore into the archive. The archive may be below the scratch
// directory, which many programs share.
func (a *Archive) checkScratch(dir string) error {
	if at := a.localDir(); at != "" && disk.IsInside(dir, at) {
		return fmt.Errorf("the scratch directory %s is in the archive %s: %w; use another directory",
			dir, at, ErrBadTarget)
	}
	return nil
}
