package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/archiver"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// Backup makes one snapshot. It captures the closed files, plans against the newest manifest, hashes each new file,
// puts it with its checksums, and commits one manifest. A snapshot exists only if Backup, or a read of the archive,
// reports it. The next backup adopts an object of an interrupted one if it can compare the content. It adopts an
// encrypted object if this host recorded it. Backup starts over with a new capture when another writer takes the
// sequence number, or when a file changes while it is read.
//
// Guards that refuse the source return a Refusal, which wraps ErrForeign, ErrRolledBack, ErrMissingFiles or ErrForked.
// Other errors include store.ErrUnordered, ErrOverlap, ErrEmptySource, ErrForeign for another layout, ErrLostRace,
// ErrUnsteady, ErrLostID, ErrFreezes and ErrDamaged. The result is never nil; with an error it describes the last attempt.
func (a *Archive) Backup(ctx context.Context, src Source, o BackupOptions) (*BackupResult, error) {
	return archiver.Backup(ctx, a.repo, src, archiver.Options{BackupOptions: o})
}

// TakesBackups returns ErrFreezes if the settings of the store allow no Backup. It sends no request.
func (a *Archive) TakesBackups() error {
	return a.repo.TakesBackups()
}

// Preflight checks whether a backup could continue the archive at the address, or begin one there. A
// condition that a backup would refuse is a finding that failed. It changes no object; in a directory it makes a file that
// no listing shows, and removes it. It returns false with a finding that failed if it could not read the archive; Probe
// mostly reports a better reason.
func (a *Archive) Preflight(ctx context.Context) (storecheck.Finding, bool) {
	return archiver.Preflight(ctx, a.repo)
}

// MakePlan compares the captured files with the parent snapshot; parent is nil for the first snapshot. A file
// counts as unchanged if its name, size, modification time and state match the parent's, and agrees returns
// true or is nil. Both lists must be in name order. It returns an error for a name or size that the format
// does not allow.
func MakePlan(captured []source.File, parent *manifest.Manifest, agrees func(*source.File, *manifest.File) bool) (Plan, error) {
	return scan.MakePlan(captured, parent, agrees)
}

// Pending compares captured files with the newest snapshot that this Archive has read or made and keeps in
// memory. It sends no request to the store, and reads no content. Before the first Backup or Newest, all files
// of the source are pending. It returns an error for a file name that the format does not allow.
func (a *Archive) Pending(captured []source.File) (Pending, error) {
	return archiver.Pending(a.repo, captured)
}

// ParseConfirmation reads what String returns.
func ParseConfirmation(s string) (Confirmation, error) {
	return values.ParseConfirmation(s)
}
