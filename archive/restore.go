package archive

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/restorer"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Restore writes the files of a snapshot to a directory. It fetches several files at once, and gives each its
// name only after its content was checked and made durable. A new directory appears once it is complete. An
// existing one contains the file RESTORE-INCOMPLETE while files are missing. After a failure, the same call
// with the same options continues the restore, also with a newer snapshot. Of two restores into one directory, one
// gets ErrOccupied, also if they are on two hosts.
//
// If a database runs in the directory or around it, Restore writes nothing; if the database starts later, Restore
// stops. The error is then ErrInUse. Other errors: ErrBadTarget, ErrOverlap, ErrNoFile, ErrOccupied, ErrNoSpace,
// ErrDamaged.
//
// The local state has the rate at which files were restored; see Measurements.
func (a *Archive) Restore(ctx context.Context, m *manifest.Manifest, dir string, o RestoreOptions) (*RestoreResult, error) {
	return restorer.Restore(ctx, a.repo, m, dir, o)
}

// CheckTarget returns ErrOverlap if the directory is not apart from the archive. It returns ErrBadTarget if it is in
// the local state, or has no name, which would mean the current directory. It sends no request. Restore begins with it.
func (a *Archive) CheckTarget(dir string) error {
	return a.repo.CheckTarget(dir)
}

// CheckOverlap returns ErrOverlap if a directory is that of an archive, is within it, or contains it: objects among log
// files, or log files among objects, endanger both. archiveDir is empty if the archive is in no directory of this host;
// see store.Local. what names the directory in the error, such as "the source".
func CheckOverlap(what, dir, archiveDir string) error {
	return repo.CheckOverlap(what, dir, archiveDir)
}

// RestoreReads returns what a restore of all files of a snapshot reads, as a dry run of Restore does. It reads no content.
// For the classes it sends about a request for each object, or fewer: it lists where the snapshot's objects are close
// together. If there are more than most objects, it reads no classes; 0 sets no bound. Of many objects, it takes those
// for frozen that were thawed for some days.
func (a *Archive) RestoreReads(ctx context.Context, m *manifest.Manifest, most int) (ReadPlan, error) {
	return restorer.RestoreReads(ctx, a.repo, m, most)
}

// Thaw makes the objects readable that a restore of a snapshot reads, or that these files of it need; without names, of
// all. It requests what is frozen and not requested yet, and waits until all can be read, which may take days. After an
// interruption, the same call goes on. Errors: ErrNoFile, ErrNoThaw, store.ErrNoThawCapacity.
func (a *Archive) Thaw(ctx context.Context, m *manifest.Manifest, names []string, o ThawOptions) error {
	return restorer.Thaw(ctx, a.repo, m, names, o)
}

// FindFrozen returns the storage class of objects that must be thawed before a restore can read them, and how many it
// found. It lists only the first objects with log content, so that it takes few requests: a rule of the bucket moves
// old objects, and log files have ascending names. The class is empty if it found none. It lists nothing of a store
// without storage classes, and finds nothing at a service that does not list in order.
func (a *Archive) FindFrozen(ctx context.Context) (class string, found int, _ error) {
	return thaw.FindFrozen(ctx, a.repo.Objects)
}

// Cat writes one file of a snapshot to w. It writes nothing before all content was checked: it buffers up to 32 MiB in
// memory, and a larger file in an unlinked temporary file. Errors: ErrNoFile, ErrDamaged, ErrNoIdentity, and a FrozenError
// if Thaw must be called first.
func (a *Archive) Cat(ctx context.Context, m *manifest.Manifest, name string, w io.Writer) error {
	return restorer.Cat(ctx, a.repo, m, name, w)
}
