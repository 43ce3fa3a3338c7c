package archive

import (
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/archive/values"
)

// Errors that operations return in addition to those of the store; test with errors.Is.
var (
	// ErrNoArchive: nothing was ever archived here.
	ErrNoArchive = values.ErrNoArchive
	// ErrNoSnapshot: the archive has no snapshot that fits the selector.
	ErrNoSnapshot = values.ErrNoSnapshot
	// ErrNoFile: the snapshot has no such file.
	ErrNoFile = values.ErrNoFile
	// ErrDamaged: an object that the archive should hold is missing, or differs from what was stored.
	ErrDamaged = values.ErrDamaged
	// ErrLostRace: other writers kept taking the sequence number.
	ErrLostRace = values.ErrLostRace
	// ErrEmptySource: the source holds no log file at all.
	ErrEmptySource = values.ErrEmptySource
	// ErrRolledBack: the source ends before the archive does.
	ErrRolledBack = values.ErrRolledBack
	// ErrMissingFiles: closed log files are gone, and nothing shows that the database deleted them.
	ErrMissingFiles = values.ErrMissingFiles
	// ErrForked: the source and the archive have the same beginning, and differ since.
	ErrForked = values.ErrForked
	// ErrForeign: the source is not the one that the archive belongs to.
	ErrForeign = values.ErrForeign
	// ErrUnsteady: the source changed faster than it could be read.
	ErrUnsteady = values.ErrUnsteady
	// ErrPruneLimit: a prune would remove more snapshots than its limit allows.
	ErrPruneLimit = values.ErrPruneLimit
	// ErrNoIdentity reports that content is encrypted, and that none of the given identities decrypts it.
	ErrNoIdentity = values.ErrNoIdentity
	// ErrFreezes reports that an operation needs to read back what it stores, and the store's settings put log content
	// in a class from which it must be thawed.
	ErrFreezes = values.ErrFreezes
	// ErrNoCopy reports that the target of a copy holds something other than an earlier copy of the source. The source's
	// snapshots cannot be added to it.
	ErrNoCopy = values.ErrNoCopy
	// ErrDrillFailed reports that the test restore of a snapshot failed, or that the restored files failed the user's
	// check.
	ErrDrillFailed = values.ErrDrillFailed
	// ErrLostID reports that archive.json is missing beside manifests. It is created before any manifest and never
	// deleted, so its removal suggests that more may be gone. It wraps ErrDamaged.
	ErrLostID = values.ErrLostID
	// ErrNested reports that an archive lies, or would lie, within another one: below its prefix.
	ErrNested = values.ErrNested
	// ErrHoldsArchives reports an address that has no archive itself, and archives below it. It is in an ErrNoArchive.
	ErrHoldsArchives = values.ErrHoldsArchives
	// ErrWithin reports an address that has no archive itself, and lies within one. It is in an ErrNoArchive.
	ErrWithin = values.ErrWithin
	// ErrOverlap: a source, a target or a copy is the archive's directory, is within it, or contains it.
	ErrOverlap = values.ErrOverlap
	// ErrBadTarget: a restore cannot write to the directory.
	ErrBadTarget = values.ErrBadTarget
	// ErrNoThaw means that the objects cannot be thawed in the way that was requested.
	ErrNoThaw = values.ErrNoThaw
	// ErrOccupied: a restore would mix its files with others in the target.
	ErrOccupied = restoredir.ErrOccupied
	// ErrInUse: a database may be running in the target of a restore.
	ErrInUse = restoredir.ErrInUse
	// ErrNoSpace: the target has no room for the restore.
	ErrNoSpace = restoredir.ErrNoSpace
)
