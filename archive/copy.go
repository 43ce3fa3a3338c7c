package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/copier"
)

// Copy adds to the archive to the snapshots of from that are above its own newest snapshot. It copies them in ascending
// order, with the same numbers and the same bytes, and each after the objects that it needs. It compares every object
// with the manifest before it sends the object's first byte. The same call continues an interrupted copy, and does
// nothing if the target is complete. Other copies, backups to the source, and prunes of either archive may run
// concurrently.
//
// Copy skips and reports a snapshot if the source has lost or damaged an object that the snapshot needs. The target
// then never gets it, like a snapshot that was pruned before it could be copied. Holds are not copied. Copy reads back
// an object that the target already has under a key that a snapshot names. If the object has other content, the copy
// fails with store.ErrExists, since the manifest names no other key. Of an object that must be thawed before it can be
// read, Copy compares the size and the checksum that the target reports, and counts it as CopyReport.Uncompared: a
// warning names it, and a Verify that thaws and reads it finds out whether it was forged. So the settings of the target
// may put log content in such a class (store.Freezer), and a later copy reads none of it.
//
// A backup to the target gives it another history, and the next copy fails with ErrNoCopy. Other errors: ErrOverlap,
// ErrNoArchive, ErrLostRace, and ErrDamaged if nothing can be copied. The report is never nil; with an error it covers
// the work that was done before.
func Copy(ctx context.Context, from, to *Archive, o CopyOptions) (*CopyReport, error) {
	return copier.Copy(ctx, from.repo, to.repo, o)
}

// Reencrypt copies the snapshots of the archive from to the archive to. It reads them with the identities of
// from, and stores them with the settings of to: for other recipients, compressed or not. Times, names and
// contents stay the same.
//
// The result is a new archive with its own id and chain, and with numbers without gaps. The field tool of each
// new snapshot names its original, so that the same call continues an interrupted one. The report lists the
// original numbers of the copied snapshots, also with an error. Errors: those of Restore and Backup,
// ErrOverlap, and ErrNoCopy if the target has other snapshots.
func Reencrypt(ctx context.Context, from, to *Archive, o CopyOptions) (*CopyReport, error) {
	return copier.Reencrypt(ctx, from.repo, to.repo, o)
}
