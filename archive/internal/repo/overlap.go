package repo

import (
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// TakesBackups implements the method of archive.Archive.
func (a *Repo) TakesBackups() error {
	if class := store.FrozenClass(a.Store); class != "" {
		return fmt.Errorf("%w (%s); make the snapshots in another archive, and copy that one to this address",
			values.ErrFreezes, class)
	}
	return nil
}

// CheckOverlap returns ErrOverlap if a directory is that of an archive, is within it, or contains it: objects among log
// files, or log files among objects, endanger both. archiveDir is empty if the archive is in no directory of this host;
// see store.Local. what names the directory in the error, such as "the source".
func CheckOverlap(what, dir, archiveDir string) error {
	if archiveDir == "" || !disk.IsInside(dir, archiveDir) && !disk.IsInside(archiveDir, dir) {
		return nil
	}
	return fmt.Errorf("%s %s and the archive %s: %w; use separate directories", what, dir, archiveDir, values.ErrOverlap)
}

// localDir returns the directory of the archive; empty if it is in none of this host.
func (a *Repo) localDir() string {
	if l, ok := a.Store.(store.Local); ok {
		return l.LocalDir()
	}
	return ""
}

// CheckTarget implements the method of archive.Archive.
func (a *Repo) CheckTarget(dir string) error {
	switch {
	case dir == "":
		return fmt.Errorf("the name of the target is empty: %w; name a directory", values.ErrBadTarget)
	case a.State != nil && a.State.Dir != "" && disk.IsInside(dir, a.State.Dir):
		return fmt.Errorf("the target %s is in the directory of the local state, %s: %w; use another directory",
			dir, a.State.Dir, values.ErrBadTarget)
	}
	return CheckOverlap("the target", dir, a.localDir())
}

// CheckSource returns ErrOverlap if the source is a directory that is not apart from the archive.
func (a *Repo) CheckSource(src values.Source) error {
	if d, ok := src.(interface{ Path() string }); ok {
		return CheckOverlap("the source", d.Path(), a.localDir())
	}
	return nil
}

// CheckCopy returns ErrOverlap if the target of a copy is not apart from the archive.
func (a *Repo) CheckCopy(to *Repo) error {
	if dir := to.localDir(); dir != "" {
		return CheckOverlap("the copy", dir, a.localDir())
	}
	return nil
}

// CheckScratch returns ErrBadTarget if a drill would restore into the archive. The archive may be below the scratch
// directory, which many programs share.
func (a *Repo) CheckScratch(dir string) error {
	if at := a.localDir(); at != "" && disk.IsInside(dir, at) {
		return fmt.Errorf("the scratch directory %s is in the archive %s: %w; use another directory",
			dir, at, values.ErrBadTarget)
	}
	return nil
}
