package values

import (
	"context"
	"time"
)

// DrillOptions configures Drill.
type DrillOptions struct {
	Scratch string // the directory below which the snapshot is restored; empty: os.TempDir
	// Check tests the restored directory; its error fails the drill. If it is nil, a drill succeeds if all content has
	// the correct hashes and no file was damaged when it was archived.
	Check   func(ctx context.Context, dir string) error
	Command string // what Check runs, for the verification record
	Tool    string // program name and version, for the verification record
	// Database is the directory of a database on this host. On its disk a drill begins only if source.MinFree bytes
	// stay free. Empty disables this check.
	Database string
	Thaw     *ThawOptions // as in RestoreOptions
}

// DrillReport is the result of a drill.
type DrillReport struct {
	Snapshot int64         // the snapshot that was restored
	Started  time.Time     // when the drill began
	Took     time.Duration // with the check, and without the removal of the directory
	Restored *RestoreResult
	Unproven string // why the verification record could not be stored; empty if it was
	Left     string // why the directory could not be removed; empty if it was
}
