package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/pruner"
)

// Prune removes the snapshots that the retention does not keep, and every object that no kept snapshot needs.
// It has three steps:
//
//  1. It writes a ledger record that lists the snapshots that remain.
//  2. It deletes the manifests of the other snapshots.
//  3. It deletes each object that no kept manifest names, unless the object's number is above the newest
//     snapshot's.
//
// Prune uses neither clocks nor locks. Backups, copies and other prunes may run concurrently on any host, and
// may be suspended and resumed at any point (format.md, rules 4 and 5; the package archive/protocol checks
// this exhaustively). The newest snapshot and held snapshots are always kept. The same call completes an
// interrupted prune.
//
// Hollow snapshots fill no slot of the retention: empty ones, and those that lost more than half of the files
// and contain nothing new. The exception is a snapshot for which an operator accepted this in a backup.
//
// With a Confirmation of a Refusal, Prune does exactly what it refused: it plans without the snapshots that
// were made since, and keeps all of them. The Confirmation becomes invalid once the ledger has another record,
// such as that of a hold, or once the plan differs.
//
// If a kept manifest is unreadable, no object is deleted, and the error wraps ErrDamaged. If a kept manifest
// has a field that this version cannot interpret, no object is deleted, and the error names the snapshot.
// Objects that cannot be deleted, because of a lock or a lack of permission, are in the report, and the prune
// continues. Other errors: ErrNoArchive, ErrNoSnapshot, ErrLostRace, and a Refusal. With an error, the report
// covers what was done so far.
func (a *Archive) Prune(ctx context.Context, o PruneOptions) (*PruneReport, error) {
	return pruner.Prune(ctx, a.repo, o)
}
