package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/restorer"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Drill restores a snapshot to a new directory, runs the check, stores a verification record of the outcome, and
// removes the directory. If the restore or the check fails, the error is ErrDrillFailed and wraps the cause. A store
// that does not respond, or a full disk, is no outcome. Drill then returns another error and records nothing, and a
// retry may succeed. The next drill in the same scratch directory removes what a killed drill left.
func (a *Archive) Drill(ctx context.Context, m *manifest.Manifest, o DrillOptions) (*DrillReport, error) {
	return restorer.Drill(ctx, a.repo, m, o)
}

// Drills returns the verification records of the last drill and of the last successful drill, on any host; nil if there
// is none.
func (a *Archive) Drills(ctx context.Context) (last, proven *manifest.Proof, err error) {
	return restorer.Drills(ctx, a.repo)
}

// ClearDrills removes the directories that killed drills left below a directory (empty: os.TempDir). Drill does so
// before it begins. A service with a drill each week should also do so when it starts, since a whole snapshot may be
// left there. The directories of running drills stay.
func ClearDrills(scratch string) {
	restorer.ClearDrills(scratch)
}

// Measurements returns how fast restores and drills of the archive with this id were, the oldest first: those that this
// host remembers and, unless one of them was of at least a tenth of the bytes of the restore to estimate, those in the
// latest records of drills, from any host. The result is empty if none was measured.
func (a *Archive) Measurements(ctx context.Context, id string, bytes int64) ([]cost.Measurement, error) {
	return restorer.Measurements(ctx, a.repo, id, bytes)
}
